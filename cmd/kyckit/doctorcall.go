package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/nafath"
)

// The bounds of a clock.
const (
	skewWarning = 30 * time.Second
	skewFailure = 5 * time.Minute
)

// answer is what a provider answered to one request.
type answer struct {
	url      string
	status   int
	header   http.Header
	body     []byte // of a token call alone
	skew     time.Duration
	dated    bool
	duration time.Duration
}

// recorder keeps what was answered.
type recorder struct {
	base     *http.Transport
	tokenURL string

	mu      sync.Mutex
	answers []answer
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	a := answer{url: withoutQuery(req), status: resp.StatusCode, header: resp.Header, duration: time.Since(began)}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header is cut to the second, so half a second is the best guess.
		a.skew, a.dated = date.Add(500*time.Millisecond).Sub(began.Add(a.duration/2)), true
	}
	if a.url == r.tokenURL {
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAdmin))
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(a.body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, a)
	return resp, nil
}

func withoutQuery(req *http.Request) string {
	u := *req.URL
	u.RawQuery = ""
	return u.String()
}

// checkCalls obtains a token, reads what does not exist, and looks at what the
// answers tell besides.
func (d *doctor) checkCalls(ctx context.Context) {
	read, err := d.client()
	if err != nil {
		d.say("token", fail, "the SDK refuses the configuration: "+reasonOf(err))
		for _, name := range []string{"read", "clock", "limits"} {
			d.say(name, skip, "an earlier check failed")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*d.flags.timeout)
	defer cancel()
	err = read(ctx)
	answers := d.record.answers
	i := slices.IndexFunc(answers, func(a answer) bool { return a.url == d.record.tokenURL })
	switch {
	case d.provider == "caf":
		d.say("token", pass, "tokens are minted here, no endpoint is asked")
		d.checkRead(err)
	case i < 0 && refusedByTLS(err):
		d.say("token", fail, "the server refuses this client in TLS: it demands a client certificate, or another one (-cert and -key)")
		d.say("read", skip, "there is no token")
	case i < 0:
		d.lost = true
		d.say("token", fail, "no answer: "+whyRefused(err))
		d.say("read", skip, "there is no token")
	case d.checkToken(answers[i]):
		d.checkRead(err)
	default:
		d.say("read", skip, "there is no token")
	}
	d.checkClock(answers)
	d.checkLimits(answers)
}

// client returns a call that reads what does not exist.
func (d *doctor) client() (read func(context.Context) error, err error) {
	f := d.flags
	base := strings.TrimSuffix(f.baseURL, "/")
	h := kyckit.HTTP{Client: &http.Client{Transport: d.record}, Retry: kyckit.Retry{MaxAttempts: 1}, Timeout: f.timeout}
	switch d.provider {
	case "nafath":
		d.record.tokenURL = f.tokenURL
		source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{TokenURL: f.tokenURL, ClientID: f.clientID, ClientSecret: d.secret, HTTP: h})
		if err != nil {
			return nil, err
		}
		c, err := nafath.New(nafath.Config{BaseURL: base, Auth: source, HTTP: h})
		return func(ctx context.Context) error {
			_, err := c.Status(ctx, nafath.Transaction{TransID: "00000000-0000-0000-0000-000000000000", Random: "00", NationalID: "1000000008"})
			return err
		}, err
	case "faceki":
		path, err := d.tokenPath(base, "/auth/api/generate-token")
		if err != nil {
			return nil, err
		}
		c, err := faceki.New(faceki.Config{BaseURL: base, ClientID: f.clientID, ClientSecret: d.secret, Paths: faceki.Paths{Token: path}, HTTP: h})
		return func(ctx context.Context) error {
			_, err := c.Records(ctx, faceki.RecordFilter{RequestID: "00000000-0000-0000-0000-000000000000"})
			return err
		}, err
	case "caf":
		c, err := cafsmartauth.New(cafsmartauth.Config{BaseURL: base, ClientID: f.clientID, ClientSecret: d.secret, HTTP: h})
		return func(ctx context.Context) error {
			_, err := c.Authentication(ctx, "000000000000000000000000")
			return err
		}, err
	}
	path, err := d.tokenPath(base, "/auth/jwt/login")
	if err != nil {
		return nil, err
	}
	c, err := kycjwt.New(kycjwt.Config{BaseURL: base, Username: f.username, Password: d.secret, LoginPath: path, HTTP: h})
	return func(ctx context.Context) error {
		_, err := c.Questionnaire(ctx, "00000000-0000-0000-0000-000000000000")
		return err
	}, err
}

// tokenPath is the path of the token endpoint below the base address, for a
// provider that has both on one host.
func (d *doctor) tokenPath(base, usual string) (string, error) {
	path := usual
	if d.flags.tokenURL != "" {
		var below bool
		if path, below = strings.CutPrefix(d.flags.tokenURL, base); !below || !strings.HasPrefix(path, "/") {
			return "", errors.New("-token-url is not below -base-url, as it is with this provider")
		}
	}
	d.record.tokenURL = base + path
	return path, nil
}

// checkToken judges the answer of the token endpoint.
func (d *doctor) checkToken(a answer) bool {
	type token struct {
		Access  string   `json:"access_token"`
		Type    string   `json:"token_type"`
		Expires *float64 `json:"expires_in"`
		Error   any      `json:"error"`
		Detail  any      `json:"detail"`
	}
	var in struct {
		token

		Data token `json:"data"`
	}
	_ = json.Unmarshal(a.body, &in) // what is no JSON has no token
	t := in.token
	if in.Data.Access != "" {
		t = in.Data
	}
	if a.status/100 != 2 || t.Access == "" {
		words := []string{fmt.Sprintf("it answers %d", a.status)}
		for _, word := range []any{in.Error, in.Detail} {
			if text, ok := word.(string); ok && codeLike(text) {
				words = append(words, text)
			}
		}
		reason := strings.Join(words, " ")
		switch a.status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
			reason += ": the credentials are refused; are they of this environment?"
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			reason += ": is this the token endpoint?"
		case http.StatusTooManyRequests:
			reason += ": too many logins, wait"
		}
		d.say("token", fail, reason)
		return false
	}
	life, known := lifeOf(t.Access, t.Expires)
	switch {
	case !strings.EqualFold(t.Type, "bearer"):
		d.say("token", warn, "the token's type is not Bearer")
	case !known:
		d.say("token", pass, "a bearer token that says nothing of its lifetime")
	case life < time.Minute:
		d.say("token", warn, fmt.Sprintf("a bearer token that lives for %s: less than a minute makes a login of many calls", life))
	default:
		d.say("token", pass, fmt.Sprintf("a bearer token that lives for %s", life))
	}
	return true
}

// codeLike reports whether a text is an error code and not free text, which may
// be personal.
func codeLike(text string) bool {
	return len(text) <= 40 && text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// lifeOf is how long a token lives by the answer, or by its own exp.
func lifeOf(access string, expires *float64) (time.Duration, bool) {
	if expires != nil && *expires > 0 && *expires < 1e9 {
		return time.Duration(*expires) * time.Second, true
	}
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		return 0, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return 0, false
	}
	return time.Until(time.Unix(int64(claims.Exp), 0)).Round(time.Second), true
}

// checkRead judges the reading of what does not exist.
func (d *doctor) checkRead(err error) {
	var known *kyckit.Error
	errors.As(err, &known)
	switch {
	case errors.Is(err, kyckit.ErrNotFound) && !isJSON(d.record.answers):
		d.say("read", warn, "there is nothing at this address, not even an error of the provider: is the address right?")
	case err == nil, errors.Is(err, kyckit.ErrNotFound):
		d.say("read", pass, "what does not exist is not found, as it should be")
	case errors.Is(err, kyckit.ErrUnauthorized):
		d.say("read", fail, "the token is refused: do the credentials and the address belong to one environment?")
	case errors.Is(err, kyckit.ErrForbidden):
		d.say("read", fail, "it is forbidden: ask the provider for the right to this product")
	case errors.Is(err, kyckit.ErrRateLimited):
		d.say("read", warn, "the limit is used up: somebody else uses the same credentials")
	case known != nil && known.StatusCode != 0 && errors.Is(err, kyckit.ErrInvalid):
		d.say("read", pass, "it answers, and refuses the made-up id")
	case known != nil && known.StatusCode != 0:
		d.say("read", fail, "an unexpected answer: "+whyRefused(err))
	case refusedByTLS(err):
		d.say("read", fail, "the server refuses this client in TLS: it demands a client certificate, or another one (-cert and -key)")
	default:
		d.lost = true
		d.say("read", fail, "no answer: "+whyRefused(err))
	}
}

// isJSON reports whether the last answer was JSON, which a page of some other
// server is not.
func isJSON(answers []answer) bool {
	if len(answers) == 0 {
		return false
	}
	kind, _, _ := mime.ParseMediaType(answers[len(answers)-1].header.Get("Content-Type"))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// refusedByTLS reports whether the server has ended a connection by an alert.
func refusedByTLS(err error) bool {
	var alert tls.AlertError
	var op *net.OpError
	return errors.As(err, &alert) || errors.As(err, &op) && op.Op == "remote error"
}

// whyRefused is an error of the SDK, whose text is safe to print.
func whyRefused(err error) string {
	if err == nil {
		return "nothing was asked"
	}
	if known, ok := errors.AsType[*kyckit.Error](err); ok {
		return known.Error()
	}
	return whyUnreachable(err)
}

// checkClock compares clocks by the Date of the answers.
func (d *doctor) checkClock(answers []answer) {
	var worst time.Duration
	dated := false
	for _, a := range answers {
		if a.dated {
			dated = true
			if a.skew.Abs() > worst.Abs() {
				worst = a.skew
			}
		}
	}
	direction := "ahead of"
	if worst < 0 {
		direction = "behind"
	}
	text := fmt.Sprintf("the provider's clock is %s %s this machine's", worst.Abs().Round(time.Second), direction)
	switch {
	case !dated:
		d.say("clock", skip, "no answer has a Date")
	case worst.Abs() > skewFailure:
		d.say("clock", fail, text+": tokens and webhooks are refused; keep time by NTP")
	case worst.Abs() > skewWarning:
		d.say("clock", warn, text+": keep time by NTP")
	default:
		d.say("clock", pass, "the clocks agree within "+skewWarning.String())
	}
}

// checkLimits tells what the answers say of limits.
func (d *doctor) checkLimits(answers []answer) {
	var found []string
	for _, a := range answers {
		for _, name := range []string{
			"Ratelimit", "Ratelimit-Policy", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset",
			"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Retry-After",
		} {
			if v := a.header.Get(name); v != "" && len(v) < 100 && !slices.Contains(found, name+": "+visible(v)) {
				found = append(found, name+": "+visible(v))
			}
		}
		if a.status == http.StatusTooManyRequests {
			d.say("limits", warn, strings.Join(append([]string{"a limit is used up"}, found...), ", "))
			return
		}
	}
	if len(found) == 0 {
		d.say("limits", skip, "the answers say nothing of limits")
		return
	}
	d.say("limits", pass, strings.Join(found, ", "))
}
