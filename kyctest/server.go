package kyctest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"time"
)

// maxRecords bounds the record of requests; the oldest go first.
const maxRecords = 10_000

// maxBody bounds what a fake reads of one request; more is answered with 413.
const maxBody = 128 << 20

// OpOther is the operation of requests that no route takes: an unknown path, or
// a known one with another method. They are answered as net/http does, with
// 404, 405 or a redirect to the cleaned path, unless the fake says otherwise.
const OpOther = "other"

// Options says how a Server listens.
type Options struct {
	// InMemory serves on pipes instead of a loopback socket, for use inside a
	// testing/synctest bubble.
	InMemory bool
	// Listener is where to serve, to have an address of one's own:
	// net.Listen("tcp", "127.0.0.1:8080"). The server closes it. Nil means a
	// free port on loopback. It does not combine with InMemory.
	Listener net.Listener
	// TLS serves https with a certificate that only Server.Client trusts. It
	// does not combine with InMemory.
	TLS bool
	// TLSConfig serves https with the certificates in it, and demands client
	// certificates if it says so. Server.Client trusts its first certificate and
	// shows none. It does not combine with InMemory. Nil means that TLS decides.
	TLSConfig *tls.Config
	// HTTP2 speaks HTTP/2 alone: over TLS, and in memory without. Server.Client
	// does the same.
	HTTP2 bool
	// Discard keeps no headers and bodies in the record, for simulations of many
	// calls.
	Discard bool
	// Fault decides on each call, by its operation and its number from 1, as a
	// simulation by seed needs it. The zero Fault is the fake's own answer. What
	// Fail has set goes before. Nil means none.
	Fault func(op string, n int) Fault
	// Webhook is where and how events are delivered.
	Webhook Webhook
}

// Request is one request as it arrived. It holds whatever the client sent,
// credentials and personal data included, so that tests can check it. Header
// and Body belong to the record: read them, do not change them.
type Request struct {
	Op     string
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	Time   time.Time
}

// Server is an HTTP server for a fake. All methods are safe for concurrent
// use.
type Server struct {
	// URL is the base address, without a trailing slash.
	URL string

	mux     *http.ServeMux
	http    *http.Server
	socket  *httptest.Server
	memory  *memory
	options Options
	client  *http.Client
	sender  sender

	mu       sync.Mutex
	counts   map[string]int
	faults   []*fault
	requests []Request
	tokens   map[string]time.Time // living tokens and their ends
	issued   int

	operations []string
}

// NewServer starts a server without routes. Without a Listener of one's own it
// panics if loopback gives no port, as httptest does.
func NewServer(o Options) *Server {
	s := &Server{mux: http.NewServeMux(), options: o, counts: map[string]int{}, tokens: map[string]time.Time{}}
	s.sender.webhook = o.Webhook
	if o.InMemory {
		s.serveInMemory()
	} else {
		s.serveOnSocket()
	}
	return s
}

func (s *Server) serveInMemory() {
	s.memory = newMemory()
	s.http = &http.Server{Handler: s, ErrorLog: quiet(), ReadHeaderTimeout: time.Minute}
	transport := &http.Transport{DialContext: s.memory.DialContext, MaxIdleConnsPerHost: 64}
	if s.options.HTTP2 {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		s.http.Protocols, transport.Protocols = protocols, protocols
	}
	go func() { _ = s.http.Serve(s.memory) }()
	s.URL = "http://127.0.0.1"
	s.client = &http.Client{Transport: transport}
}

func (s *Server) serveOnSocket() {
	var socket *httptest.Server
	if ln := s.options.Listener; ln != nil {
		socket = &httptest.Server{Listener: ln, Config: &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}}
	} else {
		socket = httptest.NewUnstartedServer(s)
	}
	socket.Config.ErrorLog = quiet()
	socket.EnableHTTP2 = s.options.HTTP2
	if s.options.TLSConfig != nil {
		socket.TLS = s.options.TLSConfig.Clone()
	}
	if s.options.TLS || s.options.TLSConfig != nil {
		socket.StartTLS()
	} else {
		socket.Start()
	}
	s.socket, s.URL, s.client = socket, socket.URL, socket.Client()
}

// quiet drops the server's log: scripted faults abort connections on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// Client returns an HTTP client that reaches the server.
func (s *Server) Client() *http.Client { return s.client }

// ServeHTTP answers a request without any network, faults and record included,
// for simulations of very many calls. A fault that breaks off the connection
// panics with http.ErrAbortHandler, as handlers do, and so does a body that
// ends in an error.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, _ := s.mux.Handler(r); isRoute(h) {
		s.mux.ServeHTTP(w, r)
		return
	}
	s.serve(OpOther, s.mux.ServeHTTP, w, r)
}

// route is a handler that Handle added, as opposed to the mux's own.
type route struct{ http.HandlerFunc }

func isRoute(h http.Handler) bool { _, ok := h.(route); return ok }

// Close waits for the webhooks that are on their way, their delay included, and
// stops the server and its connections. What happens afterwards sends none.
func (s *Server) Close() {
	s.sender.close()
	s.client.CloseIdleConnections()
	if s.socket != nil {
		s.socket.CloseClientConnections()
		s.socket.Close()
		return
	}
	_ = s.http.Close()
}

// Handle adds a route. Pattern is a net/http.ServeMux pattern; op names the
// operation in faults, counts and the record. It must be called before the
// first request, and panics where ServeMux does.
func (s *Server) Handle(pattern, op string, h http.HandlerFunc) {
	s.mux.Handle(pattern, route{func(w http.ResponseWriter, r *http.Request) { s.serve(op, h, w, r) }})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.operations, op) && op != OpOther {
		s.operations = append(s.operations, op)
	}
}

// Mount adds a handler that is no operation of the provider, such as [Phone] or
// [Admin]: no fault meets it and nothing of it is recorded. Otherwise it is like
// Handle.
func (s *Server) Mount(pattern string, h http.Handler) {
	s.mux.Handle(pattern, route{h.ServeHTTP})
}

// serve records a request and answers it, with a fault or with h.
func (s *Server) serve(op string, h http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	var body []byte
	switch {
	case r.ContentLength > maxBody:
		h = refuseTooLarge
	case r.Body != nil: // nil in a request made for a client
		var err error
		var tooLarge *http.MaxBytesError
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		switch {
		case errors.As(err, &tooLarge):
			body, h = nil, refuseTooLarge
		case err != nil:
			panic(http.ErrAbortHandler) // the client broke off in the middle
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f, n := s.arrived(op, r, body)
	switch {
	case f != nil:
		f.serve(w, r, h)
	case s.options.Fault != nil:
		s.options.Fault(op, n).serve(w, r, h)
	default:
		h(w, r)
	}
}

func refuseTooLarge(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
}

// arrived records a request and returns the fault that was set for it, if any,
// and the request's number among those of its operation.
func (s *Server) arrived(op string, r *http.Request, body []byte) (found *Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[op]++
	rec := Request{Op: op, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Time: time.Now()}
	if !s.options.Discard {
		rec.Header, rec.Body = r.Header.Clone(), body
	}
	if len(s.requests) >= maxRecords {
		s.requests = append(s.requests[:0], s.requests[len(s.requests)-maxRecords/2:]...)
	}
	s.requests = append(s.requests, rec)

	kept := s.faults[:0]
	for _, f := range s.faults {
		if f.op == op && f.at > 0 {
			if f.at--; f.at == 0 {
				found = &f.Fault
				continue
			}
		}
		kept = append(kept, f)
		if f.op == op && f.at == 0 && found == nil {
			found = &f.Fault
		}
	}
	s.faults = kept
	return found, s.counts[op]
}

// Fail makes the n-th call of op from now fail in the given way, whatever the
// fake's own answer to it would be; n = 0 means every call until Heal. A fault
// for one call goes before one for every call.
func (s *Server) Fail(op string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{op: op, at: n, Fault: f})
}

// Heal drops all faults that are still set.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Count returns how many requests of op arrived.
func (s *Server) Count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[op]
}

// Requests returns the requests of op in order of arrival; op "" means all. Of
// all operations together the last 5,000 to 10,000 are kept. A request whose
// body broke off is neither recorded nor counted; of one larger than 128 MiB
// the body is left out.
func (s *Server) Requests(op string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if op == "" || r.Op == op {
			out = append(out, r)
		}
	}
	return out
}
