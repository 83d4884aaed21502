// Nafathweb is a web application that verifies people through Nafath: a page to
// enter the id, the number to compare, the status live, the result. It runs
// against a fake provider in this process unless it is told of a real one.
//
//	go run ./examples/nafathweb                      then open the address it prints
//	go run ./examples/nafathweb -lifetime 8s         to see a request expire
//	go run ./examples/nafathweb -db people.sqlite -key @key -base-url https://… -token-url https://…/oauth/token \
//	    -client-id … -client-secret env:CLIENT_SECRET
//
// The README beside it says what it shows and what to change for production.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "nafathweb:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	addr, opsAddr, db, key, redis             string
	replicas                                  int
	lifetime, drain                           time.Duration
	appLink                                   template.URL
	baseURL, tokenURL, clientID, clientSecret string
	webhookAddr, webhookCert, webhookKey      string
	webhookCA, webhookName, webhookSecret     string
	limits                                    limits
	tenant                                    nafath.Limits
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("nafathweb", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "where to serve the pages")
	f.StringVar(&o.opsAddr, "ops-addr", "", "where to serve /operator and /metrics; empty serves them beside the pages of the demo, and nowhere with a real provider")
	f.StringVar(&o.db, "db", "", "postgres://… or a file of SQLite; empty keeps everything in memory")
	f.StringVar(&o.key, "key", "", "32 random bytes or more, as env:NAME or @file, which every process of the application shares; required with -db")
	f.StringVar(&o.redis, "redis", "", "redis://… or host:port, which the processes of a real provider's application share; empty shares the database alone")
	f.IntVar(&o.replicas, "replicas", 1, "how many processes there are at most, those that a deployment replaces included; without -redis each has its part of the tenant's limits; required with -redis")
	f.DurationVar(&o.lifetime, "lifetime", 3*time.Minute, "how long a person has to answer")
	f.DurationVar(&o.drain, "drain", 8*time.Second, "how long open verifications may go on after SIGTERM; what is open then is continued by the next process")
	f.Func("app-link", "opens the identity app from the page; empty shows no link", func(s string) (err error) {
		o.appLink, err = appLink(s)
		return err
	})
	f.IntVar(&o.limits.person, "person-limit", 3, "verifications an hour and person")
	f.IntVar(&o.limits.visitor, "visitor-limit", 10, "verifications an hour and browser")
	f.IntVar(&o.limits.address, "address-limit", 200, "verifications an hour and address")
	f.IntVar(&o.tenant.Requests, "tenant-requests", 0, "verifications a minute that the provider allows the tenant; 0 means the documented 10")
	f.IntVar(&o.tenant.StatusChecks, "tenant-checks", 0, "status checks a minute; 0 means the documented 60")
	f.IntVar(&o.tenant.Details, "tenant-details", 0, "details a minute; 0 means the documented 30")
	f.StringVar(&o.baseURL, "base-url", "", "a real provider; empty starts the fake")
	f.StringVar(&o.tokenURL, "token-url", "", "its token endpoint")
	f.StringVar(&o.clientID, "client-id", "", "")
	f.StringVar(&o.clientSecret, "client-secret", "", "env:NAME or @file")
	f.StringVar(&o.webhookAddr, "webhook-addr", "127.0.0.1:0", "where to take webhooks over TLS; empty takes none")
	f.StringVar(&o.webhookCert, "webhook-cert", "", "a real webhook server's certificate, a file of PEM")
	f.StringVar(&o.webhookKey, "webhook-key", "", "and its key")
	f.StringVar(&o.webhookCA, "webhook-ca", "", "who certifies the sender, a file of PEM")
	f.StringVar(&o.webhookName, "webhook-sender", "", "the DNS names that the sender's certificate may have, separated by blanks")
	f.StringVar(&o.webhookSecret, "webhook-secret", "", "env:NAME or @file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.baseURL != "" && o.webhookCert == "" {
		o.webhookAddr = ""
	}
	if o.db != "" && o.key == "" {
		return o, errors.New("-db needs -key: what one process sealed the next must be able to open")
	}
	if o.replicas < 1 {
		return o, errors.New("-replicas must be 1 or more")
	}
	named := map[string]bool{}
	f.Visit(func(f *flag.Flag) { named[f.Name] = true })
	if o.redis != "" && (o.db == "" || o.baseURL == "" || !named["replicas"]) {
		return o, errors.New("-redis needs -db, -base-url and -replicas: it is for several processes of one application")
	}
	return o, nil
}

// appLink takes a link into an app, whose scheme may be the app's own.
func appLink(s string) (template.URL, error) {
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Scheme == "" || slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file"}, u.Scheme)) {
		return "", errors.New("must be an absolute link into an app")
	}
	return template.URL(s), nil // whoever runs the program wrote it
}

// run serves until ctx ends, and then ends without losing anybody.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errs, nil))
	secret, err := o.secret()
	if err != nil {
		return err
	}

	// Listen first: the fake must know where webhooks go.
	pagesAt, err := listen(ctx, o.addr)
	if err != nil {
		return err
	}
	defer pagesAt.Close()
	hooksAt, hooksURL, err := listenWebhooks(ctx, o)
	if err != nil {
		return err
	}
	var common *shared
	if o.redis != "" {
		if common, err = openShared(ctx, log, o.redis, deriveKeys([]byte(secret.Reveal()))); err != nil {
			return err
		}
		defer common.close()
	}
	p, err := newProvider(o, hooksURL, common)
	if err != nil {
		return err
	}
	defer p.close()
	numbers, err := newMetrics()
	if err != nil {
		return err
	}
	defer numbers.close(context.WithoutCancel(ctx), log)
	p.client.HTTP.Trace = numbers.Trace()
	client, err := nafath.New(p.client)
	if err != nil {
		return err
	}
	// The provider ends a verification after its lifetime; a little later than
	// that nothing more can come.
	pacing := nafath.PollerConfig{Client: client, Limits: o.tenant, Timeout: o.lifetime + 30*time.Second, Fresh: p.fake != nil, OnNotice: numbers.OnNotice}
	hooks := webhook.HandlerConfig{OnResult: numbers.OnWebhook("nafath")}
	switch {
	case common != nil:
		pacing.Budget, pacing.Replicas, pacing.Signals = common.Budget(), o.replicas, common.Signals()
		hooks.Claims = common.Claims()
	case o.replicas > 1:
		pacing.Limits = part(o.tenant, o.replicas)
	}
	poller, err := nafath.NewPoller(pacing)
	if err != nil {
		return err
	}
	defer poller.Close()
	if err := numbers.observe(poller); err != nil {
		return err
	}
	db, err := openStore(ctx, o.db)
	if err != nil {
		return err
	}
	defer db.close()
	a, err := newApp(log, secret, db, poller, o.lifetime, o.appLink, o.limits)
	if err != nil {
		return err
	}

	ops := &operator{poller: poller}
	a.working.Go(func() { ops.watch(a.life) })
	mux := http.NewServeMux()
	mux.Handle("/", a.handler())
	opsMux := mux
	if o.opsAddr != "" {
		opsMux = http.NewServeMux()
	}
	if p.fake != nil {
		mux.Handle("/phone", kyctest.Phone(p.fake))
	}
	if p.fake != nil || o.opsAddr != "" {
		opsMux.Handle("GET /operator", ops)
		opsMux.Handle("GET /metrics", numbers)
	}
	servers := []running{{pagesAt, pageServer(secure(mux))}}
	if o.opsAddr != "" {
		at, err := listen(ctx, o.opsAddr)
		if err != nil {
			return err
		}
		servers = append(servers, running{at, pageServer(secure(opsMux))})
	}
	if hooksAt != nil {
		hooks.Handle = poller.HandleWebhook
		server, err := p.webhooks(hooks)
		if err != nil {
			return err
		}
		servers = append(servers, running{hooksAt, server})
	}
	fmt.Fprintf(out, "http://%s/\n", pagesAt.Addr())
	if p.fake != nil {
		fmt.Fprintf(out, "the simulated phone: http://%s/phone\n", pagesAt.Addr())
	}
	return serve(ctx, a, servers, o.drain)
}

// running is a server and where it listens.
type running struct {
	at     net.Listener
	server *http.Server
}

// serve runs the servers until ctx ends. Pages stay while verifications drain,
// so that people see how theirs end.
func serve(ctx context.Context, a *app, servers []running, drain time.Duration) error {
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() {
			if s.server.TLSConfig != nil {
				failed <- s.server.ServeTLS(s.at, "", "")
			} else {
				failed <- s.server.Serve(s.at)
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err = errors.Join(err, a.close(ctx))
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, s := range servers {
		if s.server.Shutdown(ctx) != nil {
			_ = s.server.Close()
		}
	}
	return err
}

func pageServer(h http.Handler) *http.Server {
	// Events take longer than WriteTimeout: each of them sets a deadline of its own.
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
}

func listenWebhooks(ctx context.Context, o options) (net.Listener, string, error) {
	if o.webhookAddr == "" {
		return nil, "", nil
	}
	at, err := listen(ctx, o.webhookAddr)
	if err != nil {
		return nil, "", err
	}
	return at, "https://" + at.Addr().String() + "/", nil
}

// secret returns the application's key. Without one it is as short-lived as a
// database in memory.
func (o options) secret() (kyckit.Secret, error) {
	const least = 32
	if o.key == "" {
		return kyckit.NewSecret(rand.Text() + rand.Text()), nil
	}
	s, err := readSecret(o.key)
	if err == nil && len(s.Reveal()) < least {
		err = fmt.Errorf("must have %d bytes or more", least)
	}
	if err != nil {
		return kyckit.Secret{}, fmt.Errorf("-key: %w", err)
	}
	return s, nil
}
