// Stub is a server that speaks as much of Azure's Blob service as the benchmark's clients ask for, and costs as
// little as it can: the content of the source is made from a pattern, what is written is counted and thrown away.
// No signature is checked. It listens on loopback, says where on standard output, and ends with its standard input.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const sourceContainer = "source"

type server struct {
	source  *source
	store   *store
	check   bool
	latency time.Duration
	started time.Time
	number  atomic.Int64
	policy  atomic.Value // the last access policy that was set, as XML
}

func main() {
	objects := flag.Int("objects", 1, "blobs in the source container")
	size := flag.Int64("size", 1<<20, "bytes of each")
	latency := flag.Duration("latency", 0, "wait so long before each answer")
	check := flag.Bool("check", false, "compare every byte and every checksum that is written")
	flag.Parse()
	from := newSource(*objects, *size)
	s := &server{source: from, store: newStore(from, *check), check: *check, latency: *latency, started: time.Now()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, s))
}

// parts splits /account/container/name.
func parts(path string) (container, name string) {
	split := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(split) > 1 {
		container = split[1]
	}
	if len(split) > 2 {
		name = split[2]
	}
	return container, name
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_stats" {
		s.tellStats(w)
		return
	}
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	w.Header().Set("x-ms-request-id", strconv.FormatInt(s.number.Add(1), 10))
	w.Header().Set("x-ms-version", r.Header.Get("x-ms-version"))
	if id := r.Header.Get("x-ms-client-request-id"); id != "" {
		w.Header().Set("x-ms-client-request-id", id)
	}
	container, name := parts(r.URL.Path)
	switch {
	case container == "":
		s.counted("Account")
		s.account(w)
	case name == "":
		s.container(w, r, container)
	default:
		s.blob(w, r, container, name)
	}
}

func (s *server) blob(w http.ResponseWriter, r *http.Request, container, name string) {
	operation := blobOperation(r)
	s.counted(operation)
	key := container + "/" + name
	switch operation {
	case "Get Blob", "Get Blob Properties":
		s.getBlob(w, r, container, name)
	case "Put Block":
		s.putBlock(w, r, key)
	case "Put Block List":
		s.putBlockList(w, r, key)
	case "Put Blob":
		s.putBlob(w, r, key)
	case "Put Block From URL", "Put Blob From URL", "Copy Blob":
		s.fromURL(w, r, key, operation)
	case "Set Blob Properties":
		w.WriteHeader(http.StatusOK)
	case "Delete Blob":
		s.store.remove(key)
		w.WriteHeader(http.StatusAccepted)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func blobOperation(r *http.Request) string {
	component, copied := r.URL.Query().Get("comp"), r.Header.Get("x-ms-copy-source") != ""
	switch {
	case r.Method == http.MethodHead:
		return "Get Blob Properties"
	case r.Method == http.MethodGet && component == "":
		return "Get Blob"
	case r.Method == http.MethodDelete:
		return "Delete Blob"
	case r.Method != http.MethodPut:
		return r.Method + " " + component
	case component == "block" && copied:
		return "Put Block From URL"
	case component == "block":
		return "Put Block"
	case component == "blocklist":
		return "Put Block List"
	case component == "properties" || component == "metadata" || component == "tags" || component == "tier":
		return "Set Blob Properties"
	case component != "":
		return r.Method + " " + component
	case copied && r.Header.Get("x-ms-blob-type") != "":
		return "Put Blob From URL"
	case copied:
		return "Copy Blob"
	default:
		return "Put Blob"
	}
}

func (s *server) container(w http.ResponseWriter, r *http.Request, container string) {
	component := r.URL.Query().Get("comp")
	s.counted("Container " + r.Method + " " + component)
	validators(w, `"0x8C000000000001"`, s.started)
	switch {
	case r.Method == http.MethodPut && component == "acl":
		text, _ := io.ReadAll(r.Body)
		s.policy.Store(string(text))
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusAccepted)
	case component == "list":
		s.listBlobs(w, r, strings.Split(r.URL.Path, "/")[1], container)
	case component == "acl":
		text, _ := s.policy.Load().(string)
		if text == "" {
			text = `<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers />`
		}
		answerXML(w, text)
	default:
		w.Header().Set("x-ms-lease-state", "available")
		w.Header().Set("x-ms-lease-status", "unlocked")
		w.WriteHeader(http.StatusOK)
	}
}

func (s *server) account(w http.ResponseWriter) {
	w.Header().Set("x-ms-sku-name", "Standard_LRS")
	w.Header().Set("x-ms-account-kind", "StorageV2")
	answerXML(w, `<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties />`)
}

func (s *server) counted(operation string) { s.store.counted(operation) }

func (s *server) tellStats(w http.ResponseWriter) {
	s.store.mutex.Lock()
	defer s.store.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.store.stats)
}

func validators(w http.ResponseWriter, etag string, modified time.Time) {
	w.Header().Set("ETag", etag)
	w.Header().Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
}

func answerXML(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, text)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Del("Content-Length")
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><Error><Code>`+code+`</Code><Message>`+code+`</Message></Error>`)
}
