package main

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// gate stands before the SOAP service. It counts calls, holds the world for
// each of them, and breaks connections on request.
type gate struct {
	world *world
	next  http.Handler

	mu      sync.Mutex
	calls   map[string]int
	dropped map[string]int
	down    time.Time // connections are broken until then
	open    map[net.Conn]bool
}

// newGate puts a gate before the service.
func newGate(w *world, next http.Handler) *gate {
	return &gate{world: w, next: next, calls: map[string]int{}, dropped: map[string]int{}, open: map[net.Conn]bool{}}
}

// recorder keeps an answer until it may be sent.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

var methodName = regexp.MustCompile(`<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)

// soapMethod is the name of the method that a request calls.
func soapMethod(body []byte) string {
	found := methodName.FindSubmatch(body)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// ServeHTTP passes a request on to the service, or breaks it.
func (g *gate) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client went away
	}
	method := soapMethod(body)
	if method == "" {
		method = restMethod(req)
	}
	if g.isDown() || g.drops("drop_request", method) {
		hangUp(out)
		return
	}
	g.count(g.calls, method)
	req.Body = io.NopCloser(bytes.NewReader(body))
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	g.hold(method, func() { g.next.ServeHTTP(answer, req) })
	if g.isDown() || g.drops("drop_reply", method) {
		hangUp(out)
		return
	}
	maps.Copy(out.Header(), answer.header)
	out.WriteHeader(answer.status)
	_, _ = out.Write(answer.body.Bytes())
}

// hold runs a call with the world held as the method needs it: waiting calls
// hold it by themselves while they look, reads share it, all else is alone.
func (g *gate) hold(method string, call func()) {
	switch {
	case strings.HasPrefix(method, "WaitForUpdates"):
	case isSharedRead(method):
		g.world.mu.RLock()
		defer g.world.mu.RUnlock()
	default:
		g.world.mu.Lock()
		defer g.world.mu.Unlock()
	}
	call()
}

func isSharedRead(method string) bool {
	for _, prefix := range []string{"Retrieve", "ContinueRetrieve", "Fetch", "CurrentTime", "Query", "CreateContainerView"} {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

func (g *gate) drops(at, method string) bool {
	if g.world.faults.take(at, method, func(*faultRule) bool { return true }) == nil {
		return false
	}
	g.count(g.dropped, method)
	return true
}

func (g *gate) count(book map[string]int, method string) {
	if method == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	book[method]++
}

// hangUp closes the client's connection without an answer.
func hangUp(out http.ResponseWriter) {
	conn, _, err := http.NewResponseController(out).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// hangUpAll closes every connection now and answers none until then.
func (g *gate) hangUpAll(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = until
	for conn := range g.open {
		_ = conn.Close()
	}
}

func (g *gate) isDown() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.down)
}

// track follows the server's connections, so that an outage can close them.
func (g *gate) track(conn net.Conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch state {
	case http.StateNew:
		g.open[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(g.open, conn)
	}
}

// counts copies the number of calls by method.
func (g *gate) counts() (calls, dropped map[string]int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.calls), maps.Clone(g.dropped)
}

func (g *gate) resetCounts() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.calls)
	clear(g.dropped)
}
