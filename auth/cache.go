package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	defaultEarly   = 60 * time.Second
	defaultTimeout = 30 * time.Second
	// minSpread is the least span over which the processes of a fleet spread
	// their refreshes.
	minSpread = 3 * time.Second
	// defaultAttempts is how many attempts in a row may fail before callers
	// without a token get the error. Later exchanges make one attempt: holding
	// callers any longer would not help them.
	defaultAttempts = 3

	// never is a time on the cache's clock that does not come.
	never = time.Duration(math.MaxInt64)
)

// CacheConfig configures a [Cache].
type CacheConfig struct {
	// Source is asked for new tokens, one call at a time. A call that panics
	// fails; one that ignores its context for more than a second is left
	// behind, four of them at most. Required.
	Source Source
	// Tuning holds what seldom needs a change.
	Tuning Tuning
}

// Tuning is how a [Cache] behaves. The zero value is a good default.
type Tuning struct {
	// Name tells this source from others, in an [Event] and the log. Empty means
	// none; the providers' clients use the name of their package.
	Name string
	// Early is how long before its expiry a token is replaced at the earliest;
	// more than a fifth of the token's lifetime counts as a fifth. The exchange
	// begins at a random moment in the first half of that time, but in its first
	// 3 s if those are more, so that many processes do not ask at once. Where
	// exchanges are slow it begins so early that it ends before the token does.
	// Zero means 60 s.
	Early time.Duration
	// Timeout limits one exchange for a token, its retries included. It is
	// independent of any caller's context. Zero means 30 s.
	Timeout time.Duration
	// Logger receives one record an [Event]: at debug, failures at warn. Nil
	// means no logging.
	Logger *slog.Logger
	// OnEvent is called for each [Event], perhaps from several goroutines at
	// once, before callers that wait hear of it. It must return quickly and
	// not call the cache. Nil means none.
	OnEvent func(Event)
}

func (t Tuning) validate() error {
	switch {
	case t.Early < 0:
		return transport.ConfigError(provider, "Tuning.Early", "must not be negative")
	case t.Timeout < 0:
		return transport.ConfigError(provider, "Tuning.Timeout", "must not be negative")
	}
	return nil
}

// Cache is a [Source] that keeps the token of another source and replaces it in
// time. It is safe for concurrent use and owns no goroutine at rest.
//
// A token that lives costs its callers one atomic load and one reading of the
// clock. Shortly before it expires one exchange runs in the background while
// everybody keeps the old token; if that fails, further attempts are paced and
// the old token serves until its expiry. Without a living token all callers
// share one exchange, which does not end with any of them; each leaves when
// its own context ends.
//
// After a failure, callers without a living token get that error, with
// RetryAfter set, until the next attempt is due: below a second when the
// provider is unavailable, 1 s doubling to 60 s when asking again cannot help:
// credentials that were refused ([kyckit.ErrUnauthorized], [kyckit.ErrForbidden],
// [kyckit.ErrInvalid]) and answers that are no tokens ([kyckit.ErrDecode] and
// others).
type Cache struct {
	kyckit.Redacted
	// First, so that the hot path touches one cache line.
	current atomic.Pointer[entry]
	base    time.Time

	fetch   func(context.Context) (Token, error) // a closure, which no dumper of structures looks into
	tell    func(Token)                          // the source's Invalidate; nil for none
	early   time.Duration
	timeout time.Duration
	name    string
	logger  *slog.Logger
	onEvent func(Event)
	// attempts is defaultAttempts, or what HTTP.Retry says.
	attempts int
	asking   atomic.Int32 // calls of the source that have not returned

	mu     sync.Mutex
	flight *flight
	spare  atomic.Pointer[entry] // a newer token, for calls that were refused with current
	held   atomic.Pointer[entry] // the token that came last; it may have been dropped
	pace   pace
	budget budget
	closed bool
}

// entry is one token. All times are on the cache's clock: the time since base,
// which is monotonic.
type entry struct {
	token  Token
	header []string      // what headerOf returned
	due    time.Duration // when a refresh should begin
	dead   time.Duration // when the token expires
	// lead is how long before dead the last attempt for a new token should
	// begin, so that it ends before dead.
	lead time.Duration
	// refreshAt is until when callers may take the token without a further look:
	// until due at first, until the next attempt after a failed refresh, and never
	// beyond dead.
	refreshAt atomic.Int64
	refused   atomic.Pointer[refusal]
}

// NewCache returns a cache over cfg.Source.
func NewCache(cfg CacheConfig) (*Cache, error) { return newCache(cfg, defaultAttempts) }

func newCache(cfg CacheConfig, attempts int) (*Cache, error) {
	if transport.Missing(cfg.Source) {
		return nil, transport.ConfigError(provider, "Source", "is required")
	}
	if err := cfg.Tuning.validate(); err != nil {
		return nil, err
	}
	c := &Cache{
		base:    time.Now(),
		fetch:   cfg.Source.Token,
		early:   cmp.Or(cfg.Tuning.Early, defaultEarly),
		timeout: cmp.Or(cfg.Tuning.Timeout, defaultTimeout),
		name:    cfg.Tuning.Name,
		logger:  cfg.Tuning.Logger,
		onEvent: cfg.Tuning.OnEvent,
		pace:    newPace(),

		attempts: attempts,
	}
	if inv, ok := cfg.Source.(invalidator); ok {
		c.tell = inv.Invalidate
	}
	return c, nil
}

// now is the time on the cache's clock.
func (c *Cache) now() time.Duration { return time.Since(c.base) }

// Token returns the cached token, or waits for a new one until ctx ends. The
// error is a *kyckit.Error; when ctx ended, of the kind that ctx.Err returns.
func (c *Cache) Token(ctx context.Context) (Token, error) {
	if c == nil {
		return Token{}, failure(kyckit.ErrInvalid, notMade)
	}
	if e := c.current.Load(); e != nil && int64(time.Since(c.base)) < e.refreshAt.Load() {
		return e.token, nil
	}
	e, err := c.lookup(ctx)
	if err != nil {
		return Token{}, err
	}
	return e.token, nil
}

// entry is Token for callers that want the header too.
func (c *Cache) entry(ctx context.Context) (*entry, error) {
	if e := c.current.Load(); e != nil && int64(time.Since(c.base)) < e.refreshAt.Load() {
		return e, nil
	}
	return c.lookup(ctx)
}

// lookup is entry for when a refresh is due or no token lives.
func (c *Cache) lookup(ctx context.Context) (*entry, error) {
	now := c.now()
	if e := c.current.Load(); e != nil && now < e.dead {
		// The caller whose swap succeeds refreshes; meanwhile the others go on
		// with the token.
		if due := e.refreshAt.Load(); int64(now) >= due && e.refreshAt.CompareAndSwap(due, int64(e.dead)) {
			c.refresh(e) //nolint:contextcheck // it serves all callers, not this one
		}
		return e, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(err)
	}
	e, f, err := c.join() //nolint:contextcheck // the exchange serves all callers, not this one
	if f == nil {
		return e, err
	}
	select {
	case <-f.done:
		return f.entry, f.err
	case <-ctx.Done():
		return nil, gaveUp(ctx.Err())
	}
}

// Close ends the exchange that may be running and waits for it, up to a second
// where the source ignores its context. A cached token serves on until it
// expires; no new one is fetched.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	c.closed = true
	f := c.flight
	c.mu.Unlock()
	if f != nil {
		f.cancel()
		<-f.done
	}
	return nil
}

// newEntry makes an entry of t, which took that long to get. It is called with
// mu held.
func (c *Cache) newEntry(t Token, took time.Duration) (*entry, error) {
	access := t.Access.Reveal()
	now := c.now()
	header := headerOf(access)
	switch {
	case access == "":
		return nil, failure(kyckit.ErrDecode, "the source returned an empty token")
	case header == nil:
		return nil, failure(kyckit.ErrDecode, noHeader)
	}
	// A server may send the token that is held already once more. Then the
	// earlier expiry stays: neither a missing lifetime nor a whole one makes
	// the token live longer.
	if h := c.held.Load(); h != nil && !h.token.Expiry.IsZero() && (t.Expiry.IsZero() || h.token.Expiry.Before(t.Expiry)) && h.token.Access.Reveal() == access {
		t.Expiry = h.token.Expiry
	}
	// The next exchange, likely as slow as this one, should be over before the
	// token dies.
	e := &entry{token: t, header: header, due: never, dead: never, lead: took + took/2}
	if !t.Expiry.IsZero() {
		life := time.Until(t.Expiry)
		if life <= 0 {
			return nil, failure(kyckit.ErrDecode, "the source returned a token that is expired already")
		}
		if life < never-now {
			e.dead = now + life
		}
		early := min(c.early, life/5)
		// Half of the span is kept for attempts that fail; less where the other
		// half would be too short to spread a fleet over. For the shortest lives
		// the time of the exchange itself matters most.
		late := min(early/2, max(early-minSpread, minWait))
		late = max(late, min(early, e.lead))
		e.lead = max(e.lead, minWait)
		e.due = e.dead - late - rand.N(early-late+1) //nolint:gosec // spreads load, hides nothing
	}
	e.refreshAt.Store(int64(e.due))
	c.held.Store(e)
	return e, nil
}

const notMade = "the Cache was not made by a constructor"

// gaveUp is the error of a caller whose context ended.
func gaveUp(cause error) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: opToken, Kind: cause}
}

func failure(kind error, reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: opToken, Kind: kind, Reason: reason}
}

const noTokenInTime = "no token in time"

// asError makes any source's error a *kyckit.Error. A foreign error is kept as
// the cause and not shown: nobody knows what its text holds. A context's error
// is dropped: it belongs to a context of the source's own, and callers would
// take it for the end of theirs.
func asError(err error) *kyckit.Error {
	var e *kyckit.Error
	if !errors.As(err, &e) {
		e = failure(kyckit.ErrUnavailable, "the source failed")
		e.Err = err
	}
	if !endedContext(e) {
		return e
	}
	own := *e
	own.Err = nil
	if endedContext(&own) {
		own.Kind, own.Reason = kyckit.ErrUnavailable, noTokenInTime
	}
	return &own
}

func endedContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
