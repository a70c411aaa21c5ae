package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// part is what is known of some bytes that were written: they themselves are thrown away.
type part struct {
	size  int64
	phase int // of the first byte in the pattern; -1: unknown
	wrong bool
	kept  []byte // of markers only
}

type blob struct {
	size     int64
	etag     string
	modified time.Time
	headers  map[string]string // content type and metadata
	blocks   map[string]part   // committed
	order    []string
	kept     []byte
}

// store is what was written, by "container/name".
type store struct {
	mutex  sync.Mutex
	blobs  map[string]*blob
	staged map[string]map[string]part
	count  int
	source *source
	check  bool
	stats  stats
}

// stats is what `/_stats` tells.
type stats struct {
	Requests     map[string]int `json:"requests"`
	BytesRead    int64          `json:"bytes_read"`
	BytesWritten int64          `json:"bytes_written"`
	BytesCopied  int64          `json:"bytes_copied"`
	WrongObjects []string       `json:"wrong_objects"`
}

func newStore(source *source, check bool) *store {
	return &store{
		blobs: map[string]*blob{}, staged: map[string]map[string]part{}, source: source, check: check,
		stats: stats{Requests: map[string]int{}, WrongObjects: []string{}},
	}
}

// isMarker says whether the content has to be kept, because somebody reads it again.
func isMarker(key string) bool {
	_, name, _ := strings.Cut(key, "/")
	return strings.HasPrefix(name, ".")
}

func (s *store) counted(operation string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.stats.Requests[operation]++
}

func (s *store) moved(read, written, copied int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.stats.BytesRead += read
	s.stats.BytesWritten += written
	s.stats.BytesCopied += copied
}

func (s *store) get(key string) *blob {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.blobs[key]
}

func (s *store) remove(key string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.blobs, key)
}

func (s *store) stage(key, id string, p part) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.staged[key] == nil {
		s.staged[key] = map[string]part{}
	}
	s.staged[key][id] = p
}

// put publishes a blob that came whole; nil: one is there and must not be replaced.
func (s *store) put(key string, p part, headers map[string]string, overwrite bool) *blob {
	return s.publish(key, []string{""}, map[string]part{"": p}, headers, overwrite)
}

// listed is one entry of a block list.
type listed struct{ state, id string }

// commit publishes staged (or committed) blocks. ok is false when one of them is not there.
func (s *store) commit(key string, list []listed, headers map[string]string, overwrite bool) (b *blob, ok bool) {
	s.mutex.Lock()
	staged, committed := s.staged[key], map[string]part{}
	if there := s.blobs[key]; there != nil {
		committed = there.blocks
	}
	order, parts := make([]string, 0, len(list)), map[string]part{}
	for _, entry := range list {
		p, found := staged[entry.id]
		if entry.state == "Committed" || (entry.state == "Latest" && !found) {
			p, found = committed[entry.id]
		}
		if !found {
			s.mutex.Unlock()
			return nil, false
		}
		order, parts[entry.id] = append(order, entry.id), p
	}
	s.mutex.Unlock()
	return s.publish(key, order, parts, headers, overwrite), true
}

func (s *store) publish(
	key string, order []string, parts map[string]part, headers map[string]string, overwrite bool,
) *blob {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.blobs[key] != nil && !overwrite {
		return nil
	}
	s.count++
	b := &blob{
		etag: fmt.Sprintf("\"0x8E%012X\"", s.count), modified: time.Now(), headers: headers, blocks: parts, order: order,
	}
	for _, id := range order {
		b.size += parts[id].size
		b.kept = append(b.kept, parts[id].kept...)
	}
	if s.check && !isMarker(key) && !s.isCopy(key, b) {
		s.stats.WrongObjects = append(s.stats.WrongObjects, key)
	}
	s.blobs[key] = b
	delete(s.staged, key)
	return b
}

// isCopy says whether every byte is that of the source blob with the same name.
func (s *store) isCopy(key string, b *blob) bool {
	index := s.source.index(key)
	if index < 0 || b.size != s.source.size {
		return false
	}
	offset := int64(0)
	for _, id := range b.order {
		p := b.blocks[id]
		if p.wrong || (p.size > 0 && p.phase != phase(index, offset)) {
			return false
		}
		offset += p.size
	}
	return true
}
