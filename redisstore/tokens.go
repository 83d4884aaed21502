package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

const (
	opToken = "token"

	// tokenLease is how long who logs in has the lease, which is renewed while
	// that goes on; the next one waits no longer after a death.
	tokenLease = 5 * time.Second
	// storeTime is how long the store may take before a replica logs in alone.
	storeTime = time.Second
	// askAgain is how long a replica waits for another one's login before it
	// looks again.
	askAgain = 100 * time.Millisecond
	// unknownLife is how long a token without an expiry is kept.
	unknownLife = 24 * time.Hour
	// maxRefused is how many refused tokens a replica remembers.
	maxRefused = 8
)

const (
	// KEYS: token. It answers with the token and its remaining life in ms.
	readScript = `
local v = redis.call('GET', KEYS[1])
if not v then return {'', '0'} end
return {v, tostring(redis.call('PTTL', KEYS[1]))}`

	// KEYS: lease. ARGV: owner, lease in ms. It answers "mine" or what the lease
	// holds and for how long. Repeated, it gives the same answer.
	leaseScript = `
local v = redis.call('GET', KEYS[1])
if not v or v == 'L' .. ARGV[1] then
	redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
	return {'mine', '0'}
end
return {v, tostring(redis.call('PTTL', KEYS[1]))}`

	// KEYS: token, lease, refusals. ARGV: owner, token, its life in ms.
	storeScript = `
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == 'L' .. ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('DEL', KEYS[3])
return 'OK'`

	// KEYS: lease, refusals. ARGV: owner, the kind of the refusal or nothing. A
	// refusal keeps all replicas from asking for 1 s, doubling to 60 s. Repeated, it
	// finds another lease and changes nothing.
	failScript = `
if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 'OK' end
if ARGV[2] == '' then
	redis.call('DEL', KEYS[1])
	return 'OK'
end
local n = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], 180000)
redis.call('SET', KEYS[1], 'F' .. ARGV[2], 'PX', math.min(60000, 1000 * 2 ^ math.min(n - 1, 6)))
return 'OK'`
)

// refusalKinds are the failures that asking again cannot mend, by the word that
// stands for them in the store.
var refusalKinds = [...]struct {
	word string
	kind error
}{
	{"unauthorized", kyckit.ErrUnauthorized},
	{"forbidden", kyckit.ErrForbidden},
	{"invalid", kyckit.ErrInvalid},
	{"notfound", kyckit.ErrNotFound},
	{"conflict", kyckit.ErrConflict},
	{"decode", kyckit.ErrDecode},
}

// Tokens returns a source of the token that all replicas share: one of them asks
// src, under a lease, and the others take what it got, encrypted, from the store.
// It caches in the process as [auth.Cache] does, which it is. Refused credentials
// keep all replicas from asking for 1 s, doubling to 60 s. When the store fails or
// takes longer than a second, a replica asks src alone.
//
// A Store has one token, that of its tenant: a second call with another source
// returns one that fails.
func (s *Store) Tokens(src auth.Source) auth.Source {
	if s.made() != nil {
		return broken("the Store was not made by New")
	}
	if missing(src) {
		return broken("there is no token source")
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.cache != nil {
		if same(s.tokens.source, src) {
			return s.tokens.cache
		}
		return broken("the Store has a token of another source")
	}
	t := &tokens{store: s, fetch: src.Token}
	if inv, ok := src.(interface{ Invalidate(auth.Token) }); ok {
		t.tell = inv.Invalidate
	}
	cache, err := auth.NewCache(auth.CacheConfig{Source: t})
	if err != nil {
		return broken("there is no token source")
	}
	s.tokens.source, s.tokens.cache = src, cache
	return cache
}

// oneToken is the source that Tokens was called with.
type oneToken struct {
	mu     sync.Mutex
	source auth.Source
	cache  *auth.Cache
}

func same(a, b auth.Source) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

func broken(reason string) auth.Source {
	return auth.SourceFunc(func(context.Context) (auth.Token, error) {
		return auth.Token{}, &kyckit.Error{Provider: provider, Op: opToken, Kind: kyckit.ErrInvalid, Reason: reason}
	})
}

// tokens is the source behind the cache, which asks it one call at a time, and
// only when it needs another token than the last.
type tokens struct {
	store *Store
	fetch func(context.Context) (auth.Token, error)
	tell  func(auth.Token) // the source's Invalidate; nil for none

	mu      sync.Mutex
	last    kyckit.Secret // given to the cache
	mine    auth.Token    // got from the source
	refused []kyckit.Secret
}

// Invalidate takes note that a provider refused t; the cache calls it.
func (t *tokens) Invalidate(tok auth.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = append(t.refused, tok.Access)
	if len(t.refused) > maxRefused {
		t.refused = t.refused[1:]
	}
}

// Token implements auth.Source.
func (t *tokens) Token(ctx context.Context) (auth.Token, error) {
	owner := rand.Text()
	for {
		tok, err := t.read(ctx)
		if err != nil {
			return t.alone(ctx)
		}
		if t.wanted(tok) {
			return t.give(tok), nil
		}
		word, left, err := t.lease(ctx, owner)
		switch {
		case err != nil:
			return t.alone(ctx)
		case word == "mine":
			return t.login(ctx, owner)
		case word != "" && word[0] == 'F':
			return auth.Token{}, refusedElsewhere(word[1:], left)
		}
		timer := time.NewTimer(askAgain/2 + mathrand.N(askAgain)) //nolint:gosec // spreads load, hides nothing
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return auth.Token{}, ctx.Err()
		}
	}
}

// wanted reports a token that the cache does not have, and that no provider
// refused.
func (t *tokens) wanted(tok auth.Token) bool {
	access := tok.Access.Reveal()
	t.mu.Lock()
	defer t.mu.Unlock()
	return access != "" && access != t.last.Reveal() && !t.isRefused(access)
}

func (t *tokens) isRefused(access string) bool {
	return slices.ContainsFunc(t.refused, func(r kyckit.Secret) bool { return r.Reveal() == access })
}

func (t *tokens) give(tok auth.Token) auth.Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = tok.Access
	return tok
}

// alone asks the source without the store.
func (t *tokens) alone(ctx context.Context) (auth.Token, error) {
	t.mu.Lock()
	mine := t.mine
	access := mine.Access.Reveal()
	stale := access != "" && (t.isRefused(access) || access != t.last.Reveal())
	t.mu.Unlock()
	if stale && t.tell != nil {
		t.tell(mine) // a source that caches has an older one than the replicas
	}
	tok, err := t.fetch(ctx)
	if err != nil {
		return auth.Token{}, err
	}
	t.mu.Lock()
	t.mine = tok
	t.mu.Unlock()
	return t.give(tok), nil
}

// login asks the source for all replicas.
func (t *tokens) login(ctx context.Context, owner string) (auth.Token, error) {
	ended := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(tokenLease / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _, _ = t.lease(ctx, owner)
			case <-ended:
				return
			}
		}
	})
	done := sync.OnceFunc(func() {
		close(ended)
		renewing.Wait()
	})
	defer done() // whatever the source does to this goroutine
	tok, err := t.alone(ctx)
	done()
	if err != nil {
		t.failed(ctx, owner, err)
		return auth.Token{}, err
	}
	t.write(ctx, owner, tok)
	return tok, nil
}

// stored is a token in the store. Its expiry is that of the key, so that no clock
// but the store's counts.
type stored struct {
	Access  string `json:"a"`
	Type    string `json:"t"`
	Expires bool   `json:"e"`
}

func (t *tokens) keys() []string {
	return []string{t.store.key("token"), t.store.key("token:lease"), t.store.key("token:refusals")}
}

// read returns the token in the store, an empty one when there is none that can
// be read, and an error when the store fails.
func (t *tokens) read(ctx context.Context) (auth.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	start := time.Now() // before the store looks at its clock
	v, err := t.store.eval(ctx, readScript, t.keys()[:1], nil)
	if err != nil {
		return auth.Token{}, err
	}
	sealed, left := pair(v)
	plain, err := t.store.open([]byte(sealed), "token")
	var st stored
	if left <= 0 || err != nil || json.Unmarshal(plain, &st) != nil {
		return auth.Token{}, nil // as good as none: it will be written anew
	}
	tok := auth.Token{Access: kyckit.NewSecret(st.Access), Type: st.Type}
	if st.Expires {
		tok.Expiry = start.Add(left).Round(0)
	}
	return tok, nil
}

// lease takes or renews the lease of who logs in.
func (t *tokens) lease(ctx context.Context, owner string) (word string, left time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	v, err := t.store.eval(ctx, leaseScript, t.keys()[1:2], nil, owner, millis(tokenLease))
	if err != nil {
		return "", 0, err
	}
	word, left = pair(v)
	return word, left, nil
}

// write puts a token into the store. When that fails, each replica logs in alone.
func (t *tokens) write(ctx context.Context, owner string, tok auth.Token) {
	plain, err := json.Marshal(stored{tok.Access.Reveal(), tok.Type, !tok.Expiry.IsZero()})
	if err != nil {
		return
	}
	life := unknownLife
	if !tok.Expiry.IsZero() {
		life = time.Until(tok.Expiry)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	_, _ = t.store.eval(ctx, storeScript, t.keys(), nil, owner, t.store.keys[0].seal(plain, "token"), millis(life))
}

// failed gives the lease back, or keeps everybody from asking for a while.
func (t *tokens) failed(ctx context.Context, owner string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	_, _ = t.store.eval(ctx, failScript, t.keys()[1:], nil, owner, refusalWord(err))
}

func refusalWord(err error) string {
	for _, r := range refusalKinds {
		if errors.Is(err, r.kind) {
			return r.word
		}
	}
	return ""
}

func refusedElsewhere(word string, left time.Duration) error {
	e := &kyckit.Error{
		Provider: provider, Op: opToken, Kind: kyckit.ErrUnavailable,
		Reason: "another replica was refused a token", RetryAfter: max(left, 0),
	}
	for _, r := range refusalKinds {
		if r.word == word {
			e.Kind = r.kind
		}
	}
	return e
}

// pair reads the answer of a script: a text and a number of milliseconds.
func pair(v any) (string, time.Duration) {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return "", 0
	}
	text, _ := list[0].(string)
	number, _ := list[1].(string)
	ms, err := time.ParseDuration(number + "ms")
	if err != nil {
		return text, 0
	}
	return text, ms
}
