package main

import (
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const reopenPause = 20 * time.Millisecond

// port is the SOAP port, which can go away for a while: connections are refused
// as if the server was not there.
type port struct {
	server  *http.Server
	gate    *gate
	address string

	mu       sync.Mutex
	listener net.Listener // nil while the port is away
	until    time.Time
	opening  *time.Timer // opens the port again; nil before the first outage
}

// openPort listens and serves.
func openPort(address string, server *http.Server, g *gate) (*port, error) {
	p := &port{server: server, gate: g, address: address}
	if err := p.open(); err != nil {
		return nil, err
	}
	p.address = p.listener.Addr().String()
	return p, nil
}

func (p *port) open() error {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.listener = listener
	go func() { log.Print(p.server.ServeTLS(listener, "", "")) }()
	return nil
}

// outage closes the port and every connection, and opens it again later. One
// that comes during another takes its place, be it shorter or longer.
func (p *port) outage(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(d)
	p.gate.hangUpAll(p.until)
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.reopenAfter(d)
}

// reopenAfter forgets the time at which the port was to be opened, and sets another.
func (p *port) reopenAfter(d time.Duration) {
	if p.opening != nil {
		p.opening.Stop()
	}
	p.opening = time.AfterFunc(d, p.reopen)
}

// reopen listens again when the outage is over; while somebody else has the
// port it tries again.
func (p *port) reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return // opened by one that could not be stopped any more
	}
	if left := time.Until(p.until); left > 0 {
		p.reopenAfter(left)
		return
	}
	if err := p.open(); err != nil {
		p.reopenAfter(reopenPause)
	}
}
