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

// outage closes the port and every connection, and opens it again later. A
// second outage during the first one only moves its end.
func (p *port) outage(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(d)
	p.gate.hangUpAll(p.until)
	if p.listener == nil {
		return
	}
	_ = p.listener.Close()
	p.listener = nil
	time.AfterFunc(d, p.reopen)
}

// reopen listens again when the outage is over; while somebody else has the
// port it tries again.
func (p *port) reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := time.Until(p.until); left > 0 {
		time.AfterFunc(left, p.reopen)
		return
	}
	if err := p.open(); err != nil {
		time.AfterFunc(reopenPause, p.reopen)
	}
}
