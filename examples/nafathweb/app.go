package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// app is the web application. It holds nothing that the store does not hold too,
// except the places in the queue.
type app struct {
	log      *slog.Logger
	keys     keys
	sealer   *nafath.Sealer
	store    *store
	poller   *nafath.Poller
	lifetime time.Duration // of a verification at the provider, for the countdown
	appLink  template.URL  // opens the identity app; empty shows no link
	limits   limits
	owner    string // this process, among those that share the store

	life    context.Context // ends when open pages must go; not a request's
	end     context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	live    map[string]*live // by row
	streams map[string]int   // of events, by session
}

// limits are how many verifications may start within an hour.
type limits struct{ person, visitor, address int }

// newApp begins to follow what the store has open. Close it when done.
func newApp(log *slog.Logger, secret kyckit.Secret, s *store, p *nafath.Poller, lifetime time.Duration, appLink template.URL, l limits) (*app, error) {
	k := deriveKeys([]byte(secret.Reveal()))
	sealer, err := nafath.NewSealer(kyckit.NewSecret(string(k.transaction)))
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	a := &app{
		log: log, keys: k, sealer: sealer, store: s, poller: p, lifetime: lifetime, appLink: appLink, limits: l,
		owner: rand.Text(), life: life, end: end, live: map[string]*live{}, streams: map[string]int{},
	}
	a.working.Go(a.keepLeases)
	return a, nil
}

// close ends in an order that loses nobody: no new prompts, those who wait for
// one are told that nothing was sent, those who have one may still answer until
// ctx ends, and what is open then is left for the next process.
func (a *app) close(ctx context.Context) error {
	err := a.poller.Drain(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Info("some verifications are open: the next process continues them")
		err = nil
	}
	a.end()
	a.working.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if released := a.store.release(ctx, a.owner); released != nil {
		a.log.Error("releasing leases failed", slog.String("err", typeOf(released)))
	}
	return err
}

// handler serves the pages.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.startPage)
	mux.HandleFunc("POST /begin", a.begin)
	mux.HandleFunc("GET /verification", a.verificationPage)
	mux.HandleFunc("GET /events", a.events)
	mux.HandleFunc("POST /leave", a.leave)
	mux.Handle("GET /static/", assets())
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// secure sets the headers of every answer, and refuses what another site makes a
// browser send.
func secure(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		next.ServeHTTP(w, r)
	})
}

// address is the visitor's, for limits. Behind a proxy all have the proxy's:
// take the address from a header that the proxy sets, and from nobody else.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String() // a household's IPv6 addresses share 64 bits
	}
	return host
}

// typeOf names an error without its text, which may quote values.
func typeOf(err error) string { return fmt.Sprintf("%T", err) }
