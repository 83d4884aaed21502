package faceki

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// TokenMode says how the credentials are sent to the token endpoint. There is
// no fallback from one to the other, which would send the secret twice.
type TokenMode string

const (
	// TokenPost sends them in a JSON body with POST. It is the default.
	TokenPost TokenMode = ""
	// TokenLegacyQuery sends them in the query of a GET, as FACEKI's older
	// documentation and SDKs do. Servers and proxies write queries to their
	// logs: choose it only if the other way is refused.
	TokenLegacyQuery TokenMode = "legacy query"
)

const (
	pathTokenPost = "/auth/api/generate-token" //nolint:gosec // a path
	pathTokenGet  = "/auth/api/access-token"   //nolint:gosec // a path

	tokenLifetime = time.Hour // documented
)

// newTokens returns the cache of this client's token. Token calls can be
// billed, so no call has one of its own.
func newTokens(cfg Config, base string) (auth.Source, error) {
	h := cfg.HTTP
	h.Middleware = nil // it would see the credentials
	return auth.NewJSONExchange(auth.JSONExchangeConfig{
		Provider:               provider,
		URL:                    base + cfg.Paths.Token,
		LegacyQueryCredentials: cfg.TokenMode == TokenLegacyQuery,
		Fields: map[string]kyckit.Secret{
			"clientId":     kyckit.NewSecret(cfg.ClientID),
			"clientSecret": cfg.ClientSecret,
		},
		Decode:          decodeToken,
		DefaultLifetime: tokenLifetime,
		HTTP:            h,
		Tuning:          cfg.Token,
	})
}

// decodeToken reads the answer of the token endpoint: envelope A with a token
// in it, or any of the failing ones.
func decodeToken(body []byte) (auth.JSONToken, error) {
	e, ok := parseEnvelope(body)
	if !ok {
		return auth.JSONToken{}, errNotObject
	}
	if !e.success {
		reason, kind := e.failure()
		ex := e.explanation()
		return auth.JSONToken{}, (&kyckit.Error{Kind: kind, Code: ex.Code, Reason: reason}).WithText(ex.Message, nil)
	}
	var data struct {
		Access    string          `json:"access_token"`
		Type      string          `json:"token_type"`
		ExpiresIn json.RawMessage `json:"expires_in"`
	}
	if !decodeLenient(e.payload, &data) || data.Access == "" {
		return auth.JSONToken{}, errNotObject
	}
	return auth.JSONToken{Access: kyckit.NewSecret(data.Access), Type: data.Type, ExpiresIn: data.ExpiresIn}, nil
}

// authorize attaches the token and treats a body code 1 inside a 2xx as the
// 401 that it means: the token is dropped, one is fetched, and the call is
// repeated once. Code 1 also stands for a wrong path, where no token helps and
// each new one may be billed; so when it comes back with a fresh token, it is
// an answer, and for a while that token is not dropped for it again.
func authorize(src auth.Source) func(http.RoundTripper) http.RoundTripper {
	return func(rt http.RoundTripper) http.RoundTripper {
		return &unveil{auth.NewTransport(&disguise{base: rt}, src)}
	}
}

// unveil is outside of auth's transport and gives an answer that was disguised
// as a 401 its own status back.
type unveil struct{ next http.RoundTripper }

func (u *unveil) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.next.RoundTrip(req)
	if err == nil {
		if d, ok := resp.Body.(*disguisedBody); ok {
			resp.StatusCode, resp.Status, resp.Body = d.code, d.status, d.ReadCloser
		}
	}
	return resp, err
}

// disguise is inside of auth's transport.
type disguise struct {
	base    http.RoundTripper
	refused atomic.Pointer[refusal]
}

// refusal remembers the last code 1: the path and, by its hash, the token.
type refusal struct {
	path  string
	token [sha256.Size]byte
	at    time.Time
	fresh bool // it followed another refusal: no token helps
}

type disguisedBody struct {
	io.ReadCloser
	code   int
	status string
}

// refusalHolds is how long a path that refuses fresh tokens is believed to do
// so.
const refusalHolds = time.Minute

func (d *disguise) RoundTrip(req *http.Request) (*http.Response, error) {
	token := sha256.Sum256([]byte(req.Header.Get("Authorization")))
	path := req.URL.Path
	resp, err := d.base.RoundTrip(req)
	last := d.refused.Load()
	if err != nil || !saysUnauthorized(resp) {
		if err == nil && resp.StatusCode < 300 && last != nil && !last.fresh && last.path == path && last.token != token {
			d.refused.CompareAndSwap(last, nil) // the new token helped: the next refusal is another one's first
		}
		return resp, err
	}
	now := time.Now()
	recent := last != nil && last.path == path && now.Sub(last.at) < refusalHolds
	switch {
	case recent && last.fresh && last.token == token:
		return resp, nil
	case recent && !last.fresh && last.token != token:
		d.refused.Store(&refusal{path: path, token: token, at: now, fresh: true})
		return resp, nil
	}
	d.refused.Store(&refusal{path: path, token: token, at: now})
	resp.Body = &disguisedBody{ReadCloser: resp.Body, code: resp.StatusCode, status: resp.Status}
	resp.StatusCode, resp.Status = http.StatusUnauthorized, "401 Unauthorized"
	return resp, nil
}

// maxRefusal bounds what is looked at; a refusal has no payload.
const maxRefusal = 16 << 10

// saysUnauthorized reports a refused token inside a 2xx, and leaves the body as
// it was.
func saysUnauthorized(resp *http.Response) bool {
	seeker, ok := resp.Body.(io.Seeker) // the layer below has read it to its end
	if !ok || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return false
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal+1))
	if _, serr := seeker.Seek(0, io.SeekStart); serr != nil || err != nil || len(body) > maxRefusal {
		return false
	}
	e, ok := parseEnvelope(body)
	return ok && !e.success && e.hasCode && (e.code == codeUnauthorized || e.code == http.StatusUnauthorized)
}
