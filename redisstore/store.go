package redisstore

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
)

const (
	provider      = "redisstore"
	defaultPrefix = "kyckit"
	maxName       = 128
)

// Client is what *redis.Client, *redis.ClusterClient and *redis.Ring of go-redis
// share and a [Store] needs. Its TLS, its credentials and its timeouts are the
// caller's.
type Client interface {
	Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
	Info(ctx context.Context, sections ...string) *redis.StringCmd
}

// Config configures a [Store]. All replicas of a tenant have the same Prefix,
// Tenant and keys.
type Config struct {
	kyckit.Redacted
	// Client is a client of go-redis. Required. The Store does not close it.
	Client Client
	// Prefix is what all keys and channels begin with. Empty means "kyckit".
	Prefix string
	// Tenant names the account at the provider, whose limits, webhooks and token
	// the replicas share. It stands in the clear in each key. Required.
	Tenant string
	// Key is 32 random bytes that only the replicas have: what goes into the store
	// is encrypted with it or a digest under it. Required.
	Key kyckit.Secret
	// OtherKeys are further keys that what is in the store may be under, 32 bytes
	// each. To change Key without losing anything, roll out the new one here, then
	// let the two change places, and take the old one out a few days later.
	OtherKeys []kyckit.Secret
}

// Store keeps on Redis what the replicas of one tenant share. It is safe for
// concurrent use and cannot be printed with its keys.
type Store struct {
	kyckit.Redacted
	client Client
	base   string // what all keys begin with, the hash tag of the tenant included
	keys   []*keyring
	calls  calls
	tokens oneToken
}

// New returns a Store. It makes no calls; [Store.Check] does. A bad setting is a
// *kyckit.Error of kind [kyckit.ErrInvalid] that names the field.
func New(cfg Config) (*Store, error) {
	prefix := cmp.Or(cfg.Prefix, defaultPrefix)
	if missing(cfg.Client) {
		return nil, invalid("Client", "is required")
	}
	if cfg.Tenant == "" {
		return nil, invalid("Tenant", "is required")
	}
	for field, name := range map[string]string{"Prefix": prefix, "Tenant": cfg.Tenant} {
		if !plainName(name) {
			return nil, invalid(field, "must be up to 128 visible ASCII characters without braces")
		}
	}
	s := &Store{client: cfg.Client, base: prefix + ":{" + cfg.Tenant + "}:"}
	for i, key := range append([]kyckit.Secret{cfg.Key}, cfg.OtherKeys...) {
		field := "Key"
		if i > 0 {
			field = "OtherKeys[" + strconv.Itoa(i-1) + "]"
		}
		k, reason := newKeyring(key.Reveal(), s.base)
		if reason != "" {
			return nil, invalid(field, reason)
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

// made refuses a Store that New did not make.
func (s *Store) made() error {
	if s == nil || s.client == nil {
		return invalid("Store", "was not made by New")
	}
	return nil
}

// key is the name of a key or channel of this tenant. All of them share one hash
// tag, so that they live on one node of a cluster.
func (s *Store) key(kind string) string { return s.base + kind }

// digests stand for a value that must not be in the store, such as an id: HMACs
// under each key, the first of which is written.
func (s *Store) digests(kind, value string) []string {
	all := make([]string, len(s.keys))
	for i, k := range s.keys {
		all[i] = k.digest(kind, value)
	}
	return all
}

// plainName accepts what can stand in a key: no braces, which make hash tags.
func plainName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '{' || r == '}'
	})
}

// missing reports an interface that holds nothing, or a nil pointer.
func missing(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}

func invalid(field, reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "config", Kind: kyckit.ErrInvalid, Reason: field + " " + reason}
}

// failure is the error of a call of the store. Of the cause it shows the word
// that Redis begins its errors with; the rest may hold keys and addresses.
func failure(op string, err error) *kyckit.Error {
	e := &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrUnavailable, Reason: "the store failed"}
	var told redis.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Reason = "the store did not answer in time"
	case errors.Is(err, errBusy):
		e.Reason = "too many calls of the store got no answer"
	case errors.As(err, &told):
		word, _, _ := strings.Cut(told.Error(), " ")
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			break
		}
		e.Code = word
		switch word {
		case "NOPERM", "NOAUTH", "WRONGPASS":
			e.Kind, e.Reason = kyckit.ErrForbidden, "the store refused the user"
		case "OOM":
			e.Reason = "the store is full"
		}
	}
	return e
}
