package auth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	exchangeTimeout  = 10 * time.Second
	maxExchangeBytes = 1 << 20
	// maxLifetime is the longest lifetime that is believed.
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// exchange is a source that asks a token endpoint each time. It makes one
// attempt: the cache in front of it does the pacing.
type exchange struct {
	client   *transport.Client
	method   string
	path     string
	query    url.Values // of the endpoint's address
	prepare  func(*transport.Call) error
	decode   func(*transport.Response) (answer, error)
	explain  func(status int, body []byte) transport.Explanation
	fallback time.Duration
}

// answer is a token endpoint's answer.
type answer struct {
	access    string
	kind      string          // token_type
	expiresIn json.RawMessage // as it was sent
}

// exchangeConfig is what all exchanges have in common.
type exchangeConfig struct {
	provider string
	field    string // the setting that url came from
	url      string
	// exact keeps a trailing slash of url.
	exact    bool
	http     kyckit.HTTP
	tuning   Tuning
	method   string
	fallback time.Duration
	explain  func(status int, body []byte) transport.Explanation
	prepare  func(*transport.Call) error
	decode   func(*transport.Response) (answer, error)
}

// newExchange returns a cache over an exchange.
func newExchange(cfg exchangeConfig) (*Cache, error) {
	if cfg.fallback < 0 {
		return nil, transport.ConfigError(cfg.provider, "DefaultLifetime", "must not be negative")
	}
	// RFC 6749, section 3.2: the address of a token endpoint may have a query,
	// which is sent with the credentials. It is no part of what logs show.
	address, rawQuery, _ := strings.Cut(cfg.url, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil || strings.Contains(rawQuery, "#") {
		return nil, transport.ConfigError(cfg.provider, cfg.field, "must have a query that can be read, or none, and no fragment")
	}
	checked, err := transport.CheckURL(cfg.provider, cfg.field, address)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(checked)
	if err != nil {
		return nil, transport.ConfigError(cfg.provider, cfg.field, "must be an absolute URL")
	}
	path := u.EscapedPath()
	if cfg.exact && strings.HasSuffix(address, "/") && path != "" {
		path += "/"
	}
	h := cfg.http
	attempts := h.Retry.MaxAttempts
	if attempts < 0 {
		return nil, transport.ConfigError(cfg.provider, "HTTP.Retry.MaxAttempts", "must not be negative")
	}
	h.Retry = kyckit.Retry{MaxAttempts: 1} // the cache paces the attempts
	h.MaxResponseBytes = cmp.Or(h.MaxResponseBytes, maxExchangeBytes)
	client, err := transport.New(transport.Config{
		Provider: cfg.provider, TraceAs: provider, BaseURL: u.Scheme + "://" + u.Host, BaseURLField: cfg.field, HTTP: h, Explain: cfg.explain,
	})
	if err != nil {
		return nil, err
	}
	return newCache(CacheConfig{
		Source: &exchange{
			client: client, method: cfg.method, path: path, query: query,
			prepare: cfg.prepare, decode: cfg.decode, explain: cfg.explain, fallback: cfg.fallback,
		},
		Tuning: cfg.tuning,
	}, cmp.Or(attempts, defaultAttempts))
}

func (x *exchange) Token(ctx context.Context) (_ Token, err error) {
	ctx, end := x.client.Scope(ctx)
	defer end(&err)
	call := &transport.Call{Op: opToken, Method: x.method, Path: x.path, Query: maps.Clone(x.query), Repeatable: true, Timeout: exchangeTimeout}
	if err := x.prepare(call); err != nil {
		return Token{}, err
	}
	// The lifetime counts from before the request: by the time the answer is
	// here, the token may have aged.
	start := time.Now()
	resp, err := x.client.Do(ctx, call)
	if err != nil {
		return Token{}, withoutToken(err, "")
	}
	a, err := x.decode(resp)
	if err == nil && a.access == "" {
		// Some servers put an error into a 2xx.
		if ex := x.explain(resp.StatusCode, resp.Body); ex.Code != "" {
			err = resp.Fail(cmp.Or(ex.Kind, kyckit.ErrInvalid), "the answer reports an error", ex)
		}
	}
	switch {
	case err != nil:
	case a.access == "":
		err = resp.Fail(kyckit.ErrDecode, "the answer has no access token", transport.Explanation{})
	case !sendable(a.access):
		err = resp.Fail(kyckit.ErrDecode, "the access token cannot be sent", transport.Explanation{})
	case a.kind != "" && !strings.EqualFold(a.kind, bearer):
		err = resp.Fail(kyckit.ErrDecode, "the token type is not bearer", transport.Explanation{})
	}
	if err != nil {
		return Token{}, withoutToken(err, a.access)
	}
	t := Token{Access: kyckit.NewSecret(a.access), Type: bearer}
	if life := x.lifetime(a, resp.Header, start); life > 0 {
		t.Expiry = start.Add(life).Round(0)
	}
	return t, nil
}

// withoutToken takes the body out of the error of an exchange when it may hold
// a token that lives: programs write bodies to their logs.
func withoutToken(err error, access string) error {
	var e *kyckit.Error
	if !errors.As(err, &e) {
		return err
	}
	body := e.Body()
	if access == "" && !bytes.Contains(bytes.ToLower(body), []byte("token")) && !bytes.Contains(body, []byte(jwtBegin)) {
		return err
	}
	return e.WithText(e.Message(), nil)
}

// jwtBegin is how the base64 of a JSON object begins.
const jwtBegin = "eyJ"

// lifetime is how long the token lives from start on, or 0 when unknown.
func (x *exchange) lifetime(a answer, h http.Header, start time.Time) time.Duration {
	if life := seconds(a.expiresIn); life > 0 {
		return life
	}
	if life := jwtLifetime(a.access, h, start); life > 0 {
		return life
	}
	return x.fallback
}

// seconds reads a lifetime: a number of seconds or a string that holds one. It
// returns 0 for anything else, nothing and less included.
func seconds(raw json.RawMessage) time.Duration {
	n, ok := number(raw)
	if !ok || n <= 0 {
		return 0
	}
	return time.Duration(math.Min(n, maxLifetime.Seconds()) * float64(time.Second))
}

// number reads a JSON number or a string that holds one.
func number(raw json.RawMessage) (float64, bool) {
	s := strings.TrimSpace(string(raw))
	if strings.HasPrefix(s, `"`) {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return 0, false
		}
		s = strings.TrimSpace(text)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(n) {
		return 0, false
	}
	return n, true
}

// oauthAnswer reads the answer of RFC 6749, section 5.1.
func oauthAnswer(resp *transport.Response) (answer, error) {
	var body struct {
		AccessToken string          `json:"access_token"`
		TokenType   string          `json:"token_type"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
	}
	if err := resp.Decode(&body); err != nil {
		return answer{}, err
	}
	return answer{access: body.AccessToken, kind: body.TokenType, expiresIn: body.ExpiresIn}, nil
}
