package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

type listenFlags struct {
	addr, scheme, secret, forward, save string
	tolerance                           time.Duration
	maxBody                             int64
	json                                bool
}

func listenCommand() command {
	return command{
		name: "webhook listen", summary: "verify what arrives, say so, and forward it",
		about: "Each delivery is one line on the standard output. Without -forward the answer is 200 for a genuine\n" +
			"delivery and 401 for another; with it, it is the answer of the receiver, who gets both.\n" +
			"-save keeps each delivery as N.headers and N.body, readable by the owner alone, for webhook send.",
		example: []string{
			"kyckit webhook listen -addr 127.0.0.1:8080 -scheme stripe -secret @secret -forward http://127.0.0.1:3000/hook",
		},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			f := &listenFlags{}
			fs.StringVar(&f.addr, "addr", "127.0.0.1:0", "the `host:port` to listen on")
			fs.StringVar(&f.scheme, "scheme", "", "`name`: "+schemeNames)
			fs.StringVar(&f.secret, "secret", "", "the secret "+refUsage)
			fs.StringVar(&f.forward, "forward", "", "the `address` to send each delivery to")
			fs.StringVar(&f.save, "save", "", "the `directory` to keep deliveries in; they hold personal data")
			fs.DurationVar(&f.tolerance, "tolerance", 5*time.Minute, "how far a delivery's time may be off")
			fs.Int64Var(&f.maxBody, "max-body", 1<<20, "the most `bytes` of a body")
			fs.BoolVar(&f.json, "json", false, "print JSON lines")
			return func(ctx context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				return p.listenForWebhooks(ctx, f)
			}
		},
	}
}

// receiver is a running listen.
type receiver struct {
	*program

	flags   *listenFlags
	scheme  webhook.Scheme
	secret  kyckit.Secret
	forward *url.URL
	client  *http.Client

	mu sync.Mutex // one line at a time
	n  int        // deliveries so far
}

func (p *program) listenForWebhooks(ctx context.Context, f *listenFlags) error {
	r := &receiver{program: p, flags: f}
	var err error
	if r.scheme, err = schemeOf(f.scheme); err != nil {
		return err
	}
	if r.secret, err = p.secret("secret", f.secret); err != nil {
		return err
	}
	if f.maxBody < 1 || f.maxBody > maxBody || f.tolerance <= 0 {
		return usage("-max-body is from 1 to %d, -tolerance is positive", maxBody)
	}
	if f.forward != "" {
		if r.forward, err = url.Parse(f.forward); err != nil || r.forward.Host == "" || r.forward.Scheme != "http" && r.forward.Scheme != "https" {
			return usage("-forward is an address such as http://127.0.0.1:3000/hook")
		}
		r.client = &http.Client{
			Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if f.save != "" {
		if err := os.MkdirAll(f.save, 0o700); err != nil {
			return usage("-save: the directory cannot be made")
		}
	}
	ln, err := p.listen(f.addr)
	if err != nil {
		return err
	}
	if f.json {
		p.line(map[string]string{"url": "http://" + ln.Addr().String(), "scheme": r.scheme.Name})
	} else {
		p.printf("listening on http://%s for deliveries of %s\n", ln.Addr(), r.scheme.Name)
	}
	return serve(ctx, ln, r)
}

// arrival is the line of one delivery.
type arrival struct {
	N      int    `json:"n"`
	Method string `json:"method"`
	Bytes  int    `json:"bytes"`
	verdict
	Forward int `json:"forward,omitempty"` // the receiver's status
}

// ServeHTTP takes one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.flags.maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		r.say(arrival{Method: req.Method, Bytes: int(r.flags.maxBody), verdict: verdict{Result: "refused", Cause: "too-large", Detail: "The body is larger than -max-body."}})
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		r.say(arrival{Method: req.Method, Bytes: len(body), verdict: verdict{Result: "refused", Cause: string(webhooktest.CauseBodyTruncated), Detail: "The body broke off."}})
		http.Error(w, "the body broke off", http.StatusBadRequest)
		return
	}
	a := arrival{Method: req.Method, Bytes: len(body), verdict: r.judge(req, body)}
	status := http.StatusOK
	if a.Result != "ok" {
		status = http.StatusUnauthorized
	}
	if r.forward != nil {
		if status = r.pass(req, body); status != http.StatusBadGateway {
			a.Forward = status
		} else {
			a.Detail = strings.TrimSpace(a.Detail + " The receiver cannot be reached.")
		}
	}
	n := r.say(a)
	r.keep(n, req, body)
	w.WriteHeader(status)
}

func (r *receiver) judge(req *http.Request, body []byte) verdict {
	x, err := webhooktest.Explain(webhooktest.Suspect{
		Scheme: r.scheme, Secret: r.secret, Tolerance: r.flags.tolerance,
		Delivery: webhook.Delivery{Method: req.Method, URL: req.URL, Header: req.Header, Body: body},
	})
	if err != nil {
		return verdict{Result: "refused", Cause: string(webhooktest.CauseUnknown), Detail: reasonOf(err)}
	}
	return verdictOf(x)
}

// pass forwards a delivery as it came and returns the answer's status, 502 when
// there is none.
func (r *receiver) pass(req *http.Request, body []byte) int {
	target := *r.forward
	if target.RawQuery == "" {
		target.RawQuery = req.URL.RawQuery
	}
	out, err := http.NewRequestWithContext(req.Context(), req.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return http.StatusBadGateway
	}
	out.Header = req.Header.Clone()
	for _, hop := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Te", "Trailer"} {
		out.Header.Del(hop)
	}
	resp, err := r.client.Do(out)
	if err != nil {
		return http.StatusBadGateway
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	_ = resp.Body.Close()
	return resp.StatusCode
}

// say prints the line of a delivery and returns its number.
func (r *receiver) say(a arrival) int {
	a.Method = methodOf(a.Method)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	a.N = r.n
	if r.flags.json {
		r.line(a)
		return a.N
	}
	text := fmt.Sprintf("%d %s %d bytes: ", a.N, a.Method, a.Bytes)
	if a.Result == "ok" {
		text += r.paint(r.stdout, green, "ok")
	} else {
		text += r.paint(r.stdout, red, a.Result+" "+a.Cause) + ": " + a.Detail
	}
	if a.Forward != 0 {
		text += fmt.Sprintf(" (forwarded: %d)", a.Forward)
	}
	r.printf("%s\n", text)
	return a.N
}

// methodOf keeps free text of a sender out of the output.
func methodOf(m string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, m) {
		return m
	}
	return "other"
}

// keep saves a delivery.
func (r *receiver) keep(n int, req *http.Request, body []byte) {
	if r.flags.save == "" {
		return
	}
	var head strings.Builder
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, value := range req.Header[name] {
			fmt.Fprintf(&head, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&head, "Content-Length: %d\n", len(body))
	base := filepath.Join(r.flags.save, fmt.Sprint(n))
	if err := errors.Join(os.WriteFile(base+".headers", []byte(head.String()), 0o600), os.WriteFile(base+".body", body, 0o600)); err != nil {
		r.note("kyckit: the delivery cannot be saved")
	}
}
