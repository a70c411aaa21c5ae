package main

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 1<<20); return &b }}

// receive reads the body to its end. With `check` it looks at every byte and compares the checksums that were sent.
func (s *server) receive(r *http.Request, key string) (p part, problem string) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	match, crc, digest := newMatcher(), uint64(0), md5.New()
	p.phase = -1
	keep := isMarker(key)
	for {
		n, err := io.ReadFull(r.Body, *buffer)
		piece := (*buffer)[:n]
		p.size += int64(n)
		if keep {
			p.kept = append(p.kept, piece...)
		}
		if s.check {
			crc = crc64.Update(crc, azureCRC64, piece)
			digest.Write(piece)
			if !keep {
				match.write(piece)
			}
		}
		if err != nil { // the end of the body, or of the connection
			break
		}
	}
	if r.ContentLength >= 0 && p.size != r.ContentLength {
		return p, "IncompleteBody"
	}
	s.store.moved(0, p.size, 0)
	if !s.check {
		return p, ""
	}
	p.phase, p.wrong = match.phase, match.wrong
	if sent := r.Header.Get("Content-MD5"); sent != "" && sent != base64.StdEncoding.EncodeToString(digest.Sum(nil)) {
		return p, "Md5Mismatch"
	}
	sent := r.Header.Get("x-ms-content-crc64")
	if sent != "" && sent != base64.StdEncoding.EncodeToString(crcOnWire(crc)) {
		return p, "Crc64Mismatch"
	}
	return p, ""
}

// echo answers the checksums that were sent, as the service does once it has checked them.
func echo(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"Content-MD5", "x-ms-content-crc64"} {
		if value := r.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.Header().Set("x-ms-request-server-encrypted", "true")
}

func (s *server) putBlock(w http.ResponseWriter, r *http.Request, key string) {
	p, problem := s.receive(r, key)
	if problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	s.store.stage(key, r.URL.Query().Get("blockid"), p)
	echo(w, r)
	w.WriteHeader(http.StatusCreated)
}

func (s *server) putBlob(w http.ResponseWriter, r *http.Request, key string) {
	p, problem := s.receive(r, key)
	if problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	echo(w, r)
	s.published(w, s.store.put(key, p, kept(r.Header), mayOverwrite(r)))
}

func (s *server) putBlockList(w http.ResponseWriter, r *http.Request, key string) {
	list, err := blockList(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidXmlDocument")
		return
	}
	b, ok := s.store.commit(key, list, kept(r.Header), mayOverwrite(r))
	if !ok {
		refuse(w, http.StatusBadRequest, "InvalidBlockList")
		return
	}
	echo(w, r)
	s.published(w, b)
}

// fromURL serves Put Block From URL, Put Blob From URL and Copy Blob (which is always done at once here).
func (s *server) fromURL(w http.ResponseWriter, r *http.Request, key, operation string) {
	index, status, problem := s.copySource(r)
	if problem != "" {
		refuse(w, status, problem)
		return
	}
	offset, length, ok := rangeOf(r.Header.Get("x-ms-source-range"), s.source.size)
	if !ok {
		refuse(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
		return
	}
	start := phase(index, offset)
	if sent := r.Header.Get("x-ms-source-content-md5"); sent != "" && s.check && sent != md5Of(start, length) {
		refuse(w, http.StatusBadRequest, "Md5Mismatch")
		return
	}
	s.store.moved(0, 0, length)
	p := part{size: length, phase: start}
	sum := base64.StdEncoding.EncodeToString(crcOnWire(s.source.crc(start, length)))
	w.Header().Set("x-ms-content-crc64", sum)
	if operation == "Put Block From URL" {
		s.store.stage(key, r.URL.Query().Get("blockid"), p)
		w.WriteHeader(http.StatusCreated)
		return
	}
	b := s.store.put(key, p, kept(r.Header), mayOverwrite(r))
	if operation == "Copy Blob" {
		w.Header().Set("x-ms-copy-status", "success")
		w.Header().Set("x-ms-copy-id", "00000000-0000-0000-0000-000000000001")
		if b != nil && r.Header.Get("x-ms-requires-sync") == "" {
			validators(w, b.etag, b.modified)
			w.WriteHeader(http.StatusAccepted)
			return
		}
	}
	s.published(w, b)
}

// copySource finds the source blob that the request names, and checks the condition on it.
func (s *server) copySource(r *http.Request) (index, status int, problem string) {
	from, err := url.Parse(r.Header.Get("x-ms-copy-source"))
	if err != nil {
		return 0, http.StatusBadRequest, "InvalidHeaderValue"
	}
	container, name := parts(from.Path)
	index = s.source.index(name)
	if container != sourceContainer || index < 0 {
		return 0, http.StatusNotFound, "CannotVerifyCopySource"
	}
	if wanted := r.Header.Get("x-ms-source-if-match"); wanted != "" && wanted != s.source.etag(index) {
		return 0, http.StatusPreconditionFailed, "SourceConditionNotMet"
	}
	return index, 0, ""
}

func (s *server) published(w http.ResponseWriter, b *blob) {
	if b == nil {
		refuse(w, http.StatusConflict, "BlobAlreadyExists")
		return
	}
	validators(w, b.etag, b.modified)
	w.WriteHeader(http.StatusCreated)
}

func mayOverwrite(r *http.Request) bool { return r.Header.Get("If-None-Match") != "*" }

// kept is the headers that come back with the blob.
func kept(sent http.Header) map[string]string {
	headers := map[string]string{}
	for name := range sent {
		lower := strings.ToLower(name)
		switch {
		case strings.HasPrefix(lower, "x-ms-meta-"):
			headers[lower] = sent.Get(name)
		case lower == "x-ms-blob-content-type":
			headers["Content-Type"] = sent.Get(name)
		case lower == "x-ms-blob-content-md5":
			headers["Content-MD5"] = sent.Get(name)
		}
	}
	return headers
}

func blockList(body io.Reader) ([]listed, error) {
	var document struct {
		Entries []struct {
			XMLName xml.Name
			ID      string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.NewDecoder(body).Decode(&document); err != nil {
		return nil, err
	}
	list := make([]listed, 0, len(document.Entries))
	for _, entry := range document.Entries {
		list = append(list, listed{entry.XMLName.Local, strings.TrimSpace(entry.ID)})
	}
	return list, nil
}
