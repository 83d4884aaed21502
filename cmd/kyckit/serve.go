package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// farewell is how long a server may take to stop; then the program ends anyway.
const farewell = time.Second

// listen opens an address. An empty host is loopback.
func (p *program) listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage("-addr is host:port")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, port)) //nolint:noctx // at once
	if err != nil {
		var bad *net.AddrError
		var dns *net.DNSError
		if errors.As(err, &bad) || errors.As(err, &dns) {
			return nil, usage("-addr is no address of this machine")
		}
		return nil, unreachable("cannot listen on -addr: is the address taken, or not this machine's?")
	}
	if ip, ok := ln.Addr().(*net.TCPAddr); ok && !ip.IP.IsLoopback() {
		p.note("kyckit: listening beyond this machine: whoever reaches %s can use this server", ln.Addr())
	}
	return ln, nil
}

// serve answers with a handler until the context ends.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 256 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		return unreachable("the server ended: %v", err)
	case <-ctx.Done():
		_ = server.Close()
		return nil
	}
}

// within ends close after the farewell, whatever hangs in it.
func within(closing func()) {
	done := make(chan struct{})
	go func() {
		closing()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(farewell):
	}
}
