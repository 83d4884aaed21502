package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/webhook"
)

// replica is one process of the product: as small as a product can be that does
// what the documentation of nafath says.
type replica struct {
	w      *world
	name   string
	dead   atomic.Bool // kill -9: nothing that it does arrives any more
	drains atomic.Bool
	life   context.Context
	kill   context.CancelFunc
	poller *nafath.Poller
	hook   http.Handler
	claims webhook.Claims
	sealer *nafath.Sealer
	redis  *redis.Client // nil where nothing is shared

	working sync.WaitGroup
}

// newReplica starts a process in a slot.
func (w *world) newReplica(slot int) (*replica, error) {
	started := w.start()
	r := &replica{w: w, name: fmt.Sprintf("replica-%d-%d", slot, started)}
	r.life, r.kill = context.WithCancel(context.Background())
	settings := kyckit.HTTP{
		Client: &http.Client{Transport: &link{base: w.fake.Client().Transport, life: r.life, trip: w.trip, look: r.sends, denied: &w.denied}},
		Logger: w.log,
		Trace:  w.trace(),
	}
	token := w.fake.TokenConfig()
	token.HTTP = settings
	source, err := auth.NewClientCredentials(token)
	if err != nil {
		return nil, err
	}
	r.claims = w.claims
	poller := nafath.PollerConfig{Fresh: started <= w.plan.replicas}
	tokens, err := w.share(r, fmt.Sprint(slot), &poller, source)
	if err != nil {
		return nil, err
	}
	cfg := w.fake.ClientConfig()
	cfg.Auth, cfg.HTTP = tokens, settings
	if poller.Client, err = nafath.New(cfg); err != nil {
		return nil, err
	}
	if r.poller, err = nafath.NewPoller(poller); err != nil {
		return nil, err
	}
	if r.sealer, err = nafath.NewSealer(secretOf(w.sealKey)); err != nil {
		return nil, err
	}
	signature, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{secretOf(w.hookSecret)}})
	if err != nil {
		return nil, err
	}
	r.hook, err = webhook.NewHandler(webhook.HandlerConfig{Authenticate: signature, Claims: r.claims, Handle: r.handle, Logger: w.log})
	if err != nil {
		return nil, err
	}
	r.working.Go(r.adopt)
	return r, nil
}

// handle is what the product does with a believed delivery.
func (r *replica) handle(ctx context.Context, d *webhook.Delivery) error {
	r.w.delivered(d.ID, r)
	return r.poller.HandleWebhook(ctx, d)
}

// begin is the product's form: a row, then Begin.
func (r *replica) begin(session, nationalID string) error {
	n := &row{id: r.w.newID(), session: session, person: nationalID}
	if err := r.w.store.insert(r, n); err != nil {
		return err
	}
	v, err := r.poller.BeginAs(session, nationalID)
	if err != nil {
		return errors.Join(err, r.w.store.remove(r, n.id))
	}
	r.w.asked(nationalID)
	r.follow(*n, v)
	return nil
}

// follow stores each state before anybody sees it.
func (r *replica) follow(n row, v *nafath.Verification) {
	r.working.Go(func() {
		for u := range v.Updates(r.life) {
			if tx := u.Transaction; tx.TransID != "" && n.state == begun {
				sealed, err := r.sealer.Seal(tx, n.id)
				if err != nil {
					r.w.breach(n.person, "a transaction cannot be sealed: %v", err)
					return
				}
				n.state = opened
				_ = r.w.store.change(r, n.id, func(n *row) {
					n.state, n.sealed, n.code, n.transID, n.openedAt = opened, sealed, tx.Random, tx.TransID, time.Now()
				})
			}
			if u.Stage != nafath.StageDone {
				continue
			}
			r.w.saw(u.Err)
			outcome := outcomeOf(u)
			if errors.Is(u.Err, nafath.ErrClosed) && n.state == opened {
				return // the next process continues it
			}
			if outcome == "" {
				r.later(n)
				return
			}
			shown := ""
			if u.Details != nil {
				shown = u.Details.IDNumber
			}
			r.w.note(n.person, "%s says %s (%v)", r.name, outcome, u.Err)
			_ = r.w.store.change(r, n.id, func(n *row) {
				n.state, n.outcome, n.shownAs, n.err, n.doneAt, n.sealed = done, outcome, shown, u.Err, time.Now(), ""
			})
		}
	})
}

// later asks again for what could not be read.
func (r *replica) later(n row) {
	const pause = 15 * time.Second
	select {
	case <-time.After(pause):
		r.resume(n)
	case <-r.life.Done():
	}
}

// resume goes on with a row of another process, or of this one.
func (r *replica) resume(n row) {
	if n.state == begun {
		r.w.note(n.person, "%s does not know what became of it", r.name)
		_ = r.w.store.change(r, n.id, func(n *row) { n.state, n.outcome, n.doneAt = done, unknown, time.Now() })
		return
	}
	stored := n.sealed
	if current, ok := r.w.store.page(n.session); ok {
		stored = current.sealed
	}
	tx, err := r.sealer.Open(stored, n.id)
	if err != nil {
		r.w.breach(n.person, "a stored transaction cannot be opened: %v", err)
		return
	}
	v, err := r.poller.Continue(tx)
	if err != nil {
		r.w.saw(err)
		if !errors.Is(err, nafath.ErrClosed) {
			r.w.note(n.person, "%s cannot continue: %v", r.name, err)
		}
		return
	}
	n.state = opened
	r.follow(n, v)
}

// adopt gives signs of life, and takes over what dead processes followed.
func (r *replica) adopt() {
	const every = 5 * time.Second
	for {
		r.w.store.beat(r)
		for _, n := range r.w.store.adopt(r) {
			r.w.note(n.person, "%s takes over (%s)", r.name, n.state)
			r.resume(n)
		}
		select {
		case <-time.After(every):
		case <-r.life.Done():
			return
		}
	}
}

// crash is kill -9.
func (r *replica) crash() {
	r.dead.Store(true)
	r.end()
}

// drain is SIGTERM.
func (r *replica) drain(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	time.AfterFunc(5*time.Second, func() { r.drains.Store(true) }) // what was in flight has left by then
	_ = r.poller.Drain(ctx)
	cancel()
	r.end()
	r.w.store.release(r)
}

func (r *replica) end() {
	r.kill()
	_ = r.poller.Close()
	r.working.Wait()
	if r.redis != nil {
		_ = r.redis.Close()
	}
}

// sends looks at each request that leaves the process.
func (r *replica) sends(req *http.Request) {
	if r.drains.Load() && strings.HasSuffix(req.URL.Path, "/request") && !r.w.creationsFail() {
		r.w.breach("", "%s prompts somebody while it drains", r.name)
	}
}

// link is a process's way to the provider: now short, now long. It breaks when the
// process dies.
type link struct {
	base http.RoundTripper
	life context.Context // the life of the process, not of a call
	trip func() time.Duration
	look func(*http.Request)
	// How many requests were answered with 401.
	denied *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(l.life, cancel)
	end := func() { stop(); cancel() }
	l.look(req)
	select {
	case <-time.After(l.trip()):
	case <-ctx.Done():
	}
	resp, err := l.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		l.denied.Add(1)
	}
	resp.Body = &lastBody{resp.Body, end}
	return resp, nil
}

type lastBody struct {
	io.ReadCloser

	end func()
}

func (b *lastBody) Close() error { defer b.end(); return b.ReadCloser.Close() }

var _ slog.Handler = (*records)(nil)
