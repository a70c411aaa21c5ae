package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// controls stands before Vault: it writes down which requests came and lets some of them go wrong, at the same
// paths as the emulator of Vault does. A record holds no header and no body, so no secret.
type controls struct {
	vault http.Handler

	lock    sync.Mutex
	records []record
	faults  map[string]*fault
}

type record struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	Status int    `json:"status"`
}

// fault is what happens to the next `left` requests.
type fault struct {
	left   int
	status int
	wait   time.Duration
}

const controlPrefix = "/_emulator/"

func newControls(vault http.Handler) *controls {
	return &controls{vault: vault, faults: map[string]*fault{"throttle": {}, "fail": {}, "delay": {}}}
}

func (c *controls) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if name, ours := strings.CutPrefix(request.URL.Path, controlPrefix); ours {
		c.control(name, answer, request)
		return
	}
	// Written down before Vault, which changes the request that it gets.
	seen := record{Method: request.Method, Path: request.URL.Path, Query: request.URL.RawQuery}
	noted := &noting{ResponseWriter: answer, status: http.StatusOK}
	if delay, late := c.take("delay"); late {
		time.Sleep(delay.wait)
	}
	if _, throttled := c.take("throttle"); throttled {
		noted.Header().Set("Retry-After", "1")
		refuse(noted, http.StatusTooManyRequests, "request path quota exceeded")
	} else if failed, failing := c.take("fail"); failing {
		refuse(noted, failed.status, "internal error")
	} else {
		c.vault.ServeHTTP(noted, request)
	}
	seen.Status = noted.status
	c.lock.Lock()
	defer c.lock.Unlock()
	c.records = append(c.records, seen)
}

func (c *controls) control(name string, answer http.ResponseWriter, request *http.Request) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if name == "requests" {
		json.NewEncoder(answer).Encode(append([]record{}, c.records...))
		return
	}
	set, known := c.faults[name]
	if !known {
		http.NotFound(answer, request)
		return
	}
	query := request.URL.Query()
	seconds, _ := strconv.ParseFloat(query.Get("seconds"), 64)
	set.wait = time.Duration(seconds * float64(time.Second))
	set.left, _ = strconv.Atoi(query.Get("requests"))
	if set.status, _ = strconv.Atoi(query.Get("status")); set.status == 0 {
		set.status = http.StatusInternalServerError
	}
	answer.Write([]byte("{}"))
}

// take says whether the fault befalls this request.
func (c *controls) take(name string) (fault, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	set := c.faults[name]
	if set.left == 0 {
		return fault{}, false
	}
	set.left--
	return *set, true
}

func refuse(answer http.ResponseWriter, status int, reason string) {
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	json.NewEncoder(answer).Encode(map[string][]string{"errors": {reason}})
}

// noting remembers the status of an answer.
type noting struct {
	http.ResponseWriter
	status int
}

func (n *noting) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}
