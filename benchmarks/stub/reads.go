package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

const listPage = 5000

// found is a blob as a reader sees it.
type found struct {
	name, etag string
	size       int64
	modified   time.Time
	headers    map[string]string
	index      int // of the source blob; -1: one that was written
	content    []byte
}

func (s *server) find(container, name string) *found {
	if container == sourceContainer {
		index := s.source.index(name)
		if index < 0 || s.source.name(index) != name {
			return nil
		}
		headers := map[string]string{}
		if sum := s.source.md5(index); sum != "" {
			headers["Content-MD5"] = sum
		}
		return &found{name, s.source.etag(index), s.source.size, s.started, headers, index, nil}
	}
	b := s.store.get(container + "/" + name)
	if b == nil {
		return nil
	}
	return &found{name, b.etag, b.size, b.modified, b.headers, -1, b.kept}
}

func (s *server) getBlob(w http.ResponseWriter, r *http.Request, container, name string) {
	b := s.find(container, name)
	if b == nil {
		refuse(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	if wanted := r.Header.Get("If-Match"); wanted != "" && wanted != "*" && wanted != b.etag {
		refuse(w, http.StatusPreconditionFailed, "ConditionNotMet")
		return
	}
	s.describe(w, b)
	asked := r.Header.Get("x-ms-range")
	if asked == "" {
		asked = r.Header.Get("Range")
	}
	offset, length, ok := rangeOf(asked, b.size)
	if !ok {
		refuse(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	status := http.StatusOK
	if asked != "" {
		if whole := w.Header().Get("Content-MD5"); whole != "" { // that header is the range's own
			w.Header().Del("Content-MD5")
			w.Header().Set("x-ms-blob-content-md5", whole)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, offset+length-1, b.size))
		status = http.StatusPartialContent
		s.rangeChecksums(w, r, b, offset, length)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if b.index < 0 {
		_, _ = w.Write(b.content[min(offset, int64(len(b.content))):min(offset+length, int64(len(b.content)))])
		return
	}
	_ = pieces(phase(b.index, offset), length, func(piece []byte) error { _, err := w.Write(piece); return err })
	s.store.moved(length, 0, 0)
}

// rangeChecksums answers the checksums of a range for those who ask for them.
func (s *server) rangeChecksums(w http.ResponseWriter, r *http.Request, b *found, offset, length int64) {
	if b.index < 0 {
		return
	}
	if r.Header.Get("x-ms-range-get-content-crc64") == "true" {
		sum := s.source.crc(phase(b.index, offset), length)
		w.Header().Set("x-ms-content-crc64", base64.StdEncoding.EncodeToString(crcOnWire(sum)))
	}
	if r.Header.Get("x-ms-range-get-content-md5") == "true" {
		w.Header().Set("Content-MD5", md5Of(phase(b.index, offset), length))
	}
}

func (s *server) describe(w http.ResponseWriter, b *found) {
	validators(w, b.etag, b.modified)
	w.Header().Set("Content-Type", "application/octet-stream")
	for name, value := range b.headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("x-ms-blob-type", "BlockBlob")
	w.Header().Set("x-ms-creation-time", b.modified.UTC().Format(http.TimeFormat))
	w.Header().Set("x-ms-lease-status", "unlocked")
	w.Header().Set("x-ms-lease-state", "available")
	w.Header().Set("x-ms-server-encrypted", "true")
	w.Header().Set("x-ms-access-tier", "Hot")
}

// listBlobs answers one page, in the order of names, after the marker (which is the last name of the page before).
func (s *server) listBlobs(w http.ResponseWriter, r *http.Request, account, container string) {
	query := r.URL.Query()
	size, err := strconv.Atoi(query.Get("maxresults"))
	if err != nil || size < 1 || size > listPage {
		size = listPage
	}
	names := collapsed(s.names(container), query.Get("prefix"), query.Get("delimiter"))
	names, next := page(names, query.Get("marker"), size)
	var text strings.Builder
	fmt.Fprintf(&text, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://%s/%s" `+
		`ContainerName="%s"><Prefix>%s</Prefix><MaxResults>%d</MaxResults><Blobs>`,
		r.Host, account, container, query.Get("prefix"), size)
	for _, name := range names {
		if b := s.find(container, name); b != nil {
			entry(&text, b)
		} else {
			fmt.Fprintf(&text, "<BlobPrefix><Name>%s</Name></BlobPrefix>", name)
		}
	}
	fmt.Fprintf(&text, "</Blobs><NextMarker>%s</NextMarker></EnumerationResults>", next)
	answerXML(w, text.String())
}

func entry(text *strings.Builder, b *found) {
	fmt.Fprintf(text, "<Blob><Name>%s</Name><Properties><Creation-Time>%s</Creation-Time><Last-Modified>%s</Last-Modified>"+
		"<Etag>%s</Etag><Content-Length>%d</Content-Length><Content-Type>application/octet-stream</Content-Type>"+
		"<Content-Encoding /><Content-Language /><Content-CRC64 /><Content-MD5>%s</Content-MD5><Cache-Control /><Content-Disposition />"+
		"<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><LeaseStatus>unlocked</LeaseStatus>"+
		"<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties><Metadata /></Blob>",
		b.name, b.modified.UTC().Format(http.TimeFormat), b.modified.UTC().Format(http.TimeFormat),
		strings.Trim(b.etag, `"`), b.size, b.headers["Content-MD5"])
}

// names is every name in the container, in order. Names are plain ASCII here, so XML needs no escapes.
func (s *server) names(container string) []string {
	if container == sourceContainer {
		names := make([]string, s.source.objects)
		for index := range names {
			names[index] = s.source.name(index)
		}
		return names
	}
	s.store.mutex.Lock()
	defer s.store.mutex.Unlock()
	names := make([]string, 0, len(s.store.blobs))
	for key := range s.store.blobs {
		if in, name, _ := strings.Cut(key, "/"); in == container {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// collapsed is the names with the prefix; what has the delimiter behind it becomes one entry, which ends with it.
func collapsed(names []string, prefix, delimiter string) []string {
	chosen := make([]string, 0, len(names))
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if folder, _, in := strings.Cut(rest, delimiter); delimiter != "" && in {
			name = prefix + folder + delimiter
		}
		if len(chosen) == 0 || chosen[len(chosen)-1] != name {
			chosen = append(chosen, name)
		}
	}
	return chosen
}

// page is at most `size` names after `after`, and where the next page goes on.
func page(names []string, after string, size int) (chosen []string, next string) {
	rest := names[sort.Search(len(names), func(at int) bool { return names[at] > after }):]
	if len(rest) <= size {
		return rest, ""
	}
	return rest[:size], rest[size-1]
}

// rangeOf reads "bytes=0-99" and "bytes=0-"; no range is the whole.
func rangeOf(text string, size int64) (offset, length int64, ok bool) {
	if text == "" {
		return 0, size, true
	}
	first, last, _ := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	offset, err := strconv.ParseInt(first, 10, 64)
	if err != nil || offset >= size {
		return 0, 0, false
	}
	end := size - 1
	if last != "" {
		if end, err = strconv.ParseInt(last, 10, 64); err != nil || end < offset {
			return 0, 0, false
		}
	}
	return offset, min(end, size-1) - offset + 1, true
}
