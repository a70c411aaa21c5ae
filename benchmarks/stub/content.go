package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"math/rand"
	"path"
	"strconv"
	"strings"
	"sync"
)

// The content of every source blob is one pattern that repeats; each blob starts at another place of it, so that a
// block that went into the wrong blob, or to the wrong place of it, is seen.
const patternBytes = 1 << 20

// azureCRC64 is CRC-64/NVME, which the service answers as x-ms-content-crc64.
var azureCRC64 = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// pattern holds the pattern twice, so that any patternBytes in a row can be taken from any phase.
var pattern = func() []byte {
	once := make([]byte, patternBytes)
	rand.New(rand.NewSource(1)).Read(once)
	return append(once, once...)
}()

// source is the blobs that are there to be read: `objects` blobs of `size` bytes.
type source struct {
	objects int
	size    int64
	crcs    sync.Map // span -> uint64
	md5s    []string // of each blob, base64; empty for large ones
}

// oneCallBytes: the service knows the MD5 of blobs that were put in one call, which those of this size usually are.
const oneCallBytes = 8 << 20

func newSource(objects int, size int64) *source {
	s := &source{objects: objects, size: size}
	for index := 0; index < objects && size <= oneCallBytes; index++ {
		s.md5s = append(s.md5s, md5Of(phase(index, 0), size))
	}
	return s
}

func md5Of(phase int, length int64) string {
	digest := md5.New()
	_ = pieces(phase, length, func(piece []byte) error { _, err := digest.Write(piece); return err })
	return base64.StdEncoding.EncodeToString(digest.Sum(nil))
}

// md5 is that of the blob, when the service knows it.
func (s *source) md5(index int) string {
	if index < 0 || index >= len(s.md5s) {
		return ""
	}
	return s.md5s[index]
}

type span struct {
	phase  int
	length int64
}

func (s *source) name(index int) string { return fmt.Sprintf("data/%06d.bin", index) }

// index is that of the source blob with this name, or of the one that a written blob is a copy of; -1: none.
func (s *source) index(name string) int {
	index, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".bin"))
	if err != nil || index < 0 || index >= s.objects || !strings.HasSuffix(name, ".bin") {
		return -1
	}
	return index
}

func (s *source) etag(index int) string { return fmt.Sprintf("\"0x8D%012X\"", index+1) }

// phase is where in the pattern the byte at `offset` of a blob lies.
func phase(index int, offset int64) int {
	return int((int64(index)*7919 + offset) % patternBytes)
}

// pieces calls `use` with the content from `phase` on, `length` bytes in all, piece by piece, until it fails.
func pieces(phase int, length int64, use func([]byte) error) error {
	for length > 0 {
		n := min(length, patternBytes)
		if err := use(pattern[phase : int64(phase)+n]); err != nil {
			return err
		}
		phase, length = int((int64(phase)+n)%patternBytes), length-n
	}
	return nil
}

// crc is the CRC64 of that content. It is computed once for each span: many blobs share few of them.
func (s *source) crc(phase int, length int64) uint64 {
	key := span{phase, length}
	if known, ok := s.crcs.Load(key); ok {
		return known.(uint64)
	}
	var sum uint64
	_ = pieces(phase, length, func(piece []byte) error {
		sum = crc64.Update(sum, azureCRC64, piece)
		return nil
	})
	s.crcs.Store(key, sum)
	return sum
}

func crcOnWire(sum uint64) []byte { return binary.LittleEndian.AppendUint64(nil, sum) }

// matcher follows bytes that are written, and says where in the pattern they lie.
type matcher struct {
	phase int // of the first byte; -1: not known yet
	next  int
	wrong bool
}

func newMatcher() *matcher { return &matcher{phase: -1} }

func (m *matcher) write(piece []byte) {
	for len(piece) > 0 && !m.wrong {
		if m.phase < 0 {
			m.phase = bytes.Index(pattern, piece[:min(len(piece), 32)])
			m.next, m.wrong = m.phase, m.phase < 0
			if m.wrong {
				return
			}
		}
		n := min(len(piece), patternBytes)
		m.wrong = !bytes.Equal(piece[:n], pattern[m.next:m.next+n])
		m.next, piece = (m.next+n)%patternBytes, piece[n:]
	}
}
