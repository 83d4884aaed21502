package webhook

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestHowFarOutsideTheTolerance(t *testing.T) {
	v := vectors()[2]
	for offset, want := range map[time.Duration]string{
		7*time.Minute + 12*time.Second:  "bad timestamp: 2m12s too old, beyond the tolerance of 5m0s",
		-5*time.Minute - 90*time.Second: "bad timestamp: 1m30s too far ahead of this clock, beyond the tolerance of 5m0s",
	} {
		a := v.auth(t, func(c *HMACConfig) { c.Now = func() time.Time { return time.Unix(v.at, 0).Add(offset) } })
		err := a.Authenticate(v.delivery())
		require.ErrorIs(t, err, ErrTimestamp)
		require.ErrorContains(t, err, want)
	}
}

func TestWhichSecretFitted(t *testing.T) {
	secrets := func(s ...string) (out []kyckit.Secret) {
		for _, v := range s {
			out = append(out, kyckit.NewSecret(v))
		}
		return out
	}
	sent := func(a Authenticator, d *Delivery) (layers []Layer, status int) {
		h := newHandler(t, HandlerConfig{Authenticate: a, AnyBody: true, OnResult: func(_ context.Context, r Result) { layers, status = r.Layers, r.Status }})
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(d.Body)))
		r.Header = d.Header
		h.ServeHTTP(httptest.NewRecorder(), r)
		return layers, status
	}
	v := vectors()[0]
	mac := v.auth(t, func(c *HMACConfig) {
		c.Keys = []HMACKey{{Secret: c.Secrets[0]}}
		c.Secrets = secrets("old", "older")
	})
	layers, status := sent(mac, v.delivery())
	require.Equal(t, 200, status)
	require.Equal(t, []Layer{{Name: "github", Secret: 3}}, layers, "keys come behind secrets")

	key, err := NewAPIKey(APIKeyConfig{Header: "X-Key", Keys: secrets("one", "two")})
	require.NoError(t, err)
	layers, _ = sent(All(accept(), key), deliver("", "X-Key", "two"))
	require.Equal(t, 2, layers[1].Secret)
	require.Zero(t, layers[0].Secret)
	layers, _ = sent(Any(key, accept()), deliver("", "X-Key", "three"))
	require.Zero(t, layers[0].Secret)
	require.Zero(t, layers[1].Secret)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("layer", Layer{Name: "a", Secret: 2}))
	require.Contains(t, log.String(), "layer.secret=2")
}

func TestResultHasTheSignedIDAndTime(t *testing.T) {
	v := vectors()[2]
	for name, c := range map[string]struct {
		auth Authenticator
		id   string
	}{
		"accepted":          {v.auth(t), v.id},
		"refused later":     {All(v.auth(t), deny()), ""},
		"refused by itself": {v.auth(t, func(c *HMACConfig) { c.Now = func() time.Time { return time.Unix(0, 0) } }), ""},
	} {
		var res Result
		h := newHandler(t, HandlerConfig{Authenticate: c.auth, OnResult: func(_ context.Context, r Result) { res = r }})
		d := v.delivery()
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(d.Body)))
		r.Header = d.Header
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, c.id, res.ID, name)
		assert.Equal(t, c.id == "", res.Timestamp.IsZero(), name)
		assert.NotContains(t, fmt.Sprintf("%v %+v", res, &res), v.id, name)
	}
}

// TestSomethingReadTheBodyBefore: a middleware that reads the body is the most
// usual cause of signatures that do not match.
func TestSomethingReadTheBodyBefore(t *testing.T) {
	v := vectors()[2]
	for name, c := range map[string]struct {
		cfg  HandlerConfig
		kind error
	}{
		"refused":   {HandlerConfig{Authenticate: v.auth(t)}, ErrBadSignature},
		"malformed": {HandlerConfig{}, ErrMalformed},
	} {
		var res Result
		c.cfg.OnResult = func(_ context.Context, r Result) { res = r }
		h := newHandler(t, c.cfg)
		d := v.delivery()
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(d.Body)))
		r.Header = d.Header
		_, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.ErrorIs(t, res.Err, c.kind, name)
		require.ErrorContains(t, res.Err, "something read the body before", name)
		require.Contains(t, []int{400, 401}, res.Status, name)
	}
}

func TestAnyKeepsSendersApart(t *testing.T) {
	first, second := named{"msg_1", nil}, named{"msg_1", nil}
	from := func(header string, a Authenticator) Authenticator {
		return AuthenticatorFunc(func(d *Delivery) error {
			if d.Header.Get("From") != header {
				return ErrBadSignature
			}
			return a.Authenticate(d)
		})
	}
	for name, key := range map[string]func(*Delivery) string{"default": nil, "body": BodyKey, "field": FieldKey("id")} {
		handled := 0
		h := newHandler(t, HandlerConfig{
			Authenticate: Any(from("a", first), All(Any(from("b", second), from("c", second)))), Key: key,
			Handle: func(context.Context, *Delivery) error { handled++; return nil },
		})
		for range 2 {
			for _, sender := range []string{"a", "b", "c"} {
				r := httptest.NewRequest("POST", "/", strings.NewReader(`{"id":"1"}`))
				r.Header.Set("From", sender)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, 200, w.Code)
			}
		}
		require.Equal(t, 3, handled, "%s: one sender suppresses no other", name)
	}
	// Without Any the key is as it always was, so that stores go on.
	require.Equal(t, "i:x", defaultKey(&Delivery{ID: "x"}))
	d := &Delivery{}
	require.NoError(t, All(first).Authenticate(d))
	require.Equal(t, "i:msg_1", defaultKey(d))
	// What was overruled leaves no trace.
	d = &Delivery{}
	require.NoError(t, Any(All(Any(first), deny()), All(first)).Authenticate(d))
	require.Equal(t, "1.i:msg_1", defaultKey(d))
}

func TestEveryCopy(t *testing.T) {
	handled := 0
	h := newHandler(t, HandlerConfig{EveryCopy: true, Handle: func(context.Context, *Delivery) error { handled++; return nil }})
	for range 3 {
		require.Equal(t, 200, post(h, `{}`).Code)
	}
	require.Equal(t, 3, handled)
	for _, cfg := range []HandlerConfig{{Claims: NewMemoryClaims(MemoryClaimsConfig{})}, {Key: BodyKey}} {
		cfg.EveryCopy, cfg.Authenticate, cfg.Handle = true, accept(), func(context.Context, *Delivery) error { return nil }
		_, err := NewHandler(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

// TestHooksThatPanic lose nothing, and keep each other from nothing.
func TestHooksThatPanic(t *testing.T) {
	results, failures := 0, 0
	boom := slog.New(panicHandler{})
	h := newHandler(t, HandlerConfig{Logger: boom, OnResult: func(context.Context, Result) { results++; panic("hook") }})
	require.Equal(t, 200, post(h, `{}`).Code)
	require.Equal(t, 1, results)

	done := make(chan struct{}, 10)
	q, err := NewQueue(QueueConfig{MaxAttempts: 1, OnFailure: func(context.Context, *Delivery, error) { failures++; done <- struct{}{}; panic("hook") }})
	require.NoError(t, err)
	h = newHandler(t, HandlerConfig{Queue: q, Logger: boom, OnResult: func(context.Context, Result) { panic("hook") }, Handle: func(context.Context, *Delivery) error {
		return errors.New("no")
	}})
	for i := range 3 {
		require.Equal(t, 200, post(h, fmt.Sprintf(`{"n":%d}`, i)).Code)
		<-done
	}
	require.NoError(t, q.Shutdown(t.Context()))
	require.Equal(t, 3, failures)
}

type panicHandler struct{ slog.Handler }

func (panicHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panicHandler) Handle(context.Context, slog.Record) error { panic("logger") }

func TestSecretsAsTheyAreGiven(t *testing.T) {
	base64Scheme, hexScheme := StandardWebhooks(), Scheme{SignatureHeader: "X-Sig", SecretEncoding: Hex, Signed: "{body}"}
	for name, c := range map[string]struct {
		scheme Scheme
		secret string
		reason string
	}{
		"line break":           {GitHub(), "s3cret\n", "Secrets[1] must not end in a line break or blank"},
		"blank":                {Stripe(), "whsec_x ", "Secrets[1] must not end in a line break or blank"},
		"byte order mark":      {Slack(), "\ufeffs3cret", "Secrets[1] must not begin with a byte order mark"},
		"blank alone":          {CafConnect(), " \n", "Secrets[1] is required"},
		"base64's line break":  {base64Scheme, "whsec_QUJD\n", "Secrets[1] must not end in a line break or blank"},
		"base64's inner break": {base64Scheme, "whsec_QU\nJD", "Secrets[1] is not base64"},
		"hex's line break":     {hexScheme, "6162\r\n", "Secrets[1] must not end in a line break or blank"},
		"hex":                  {hexScheme, "616", "Secrets[1] is not hex"},
		"prefix alone":         {base64Scheme, "whsec_", "Secrets[1] is required"},
	} {
		_, err := NewHMAC(HMACConfig{Scheme: c.scheme, Secrets: []kyckit.Secret{kyckit.NewSecret(map[bool]string{true: "whsec_QUJD", false: "6162"}[c.scheme.SecretEncoding == Base64]), kyckit.NewSecret(c.secret)}})
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		require.ErrorContains(t, err, c.reason, name)
		_, err = NewHMAC(HMACConfig{Scheme: c.scheme, Keys: []HMACKey{{Secret: kyckit.NewSecret(c.secret)}}})
		require.ErrorContains(t, err, "Keys[0].Secret", name)
	}
	// Spare bits of the last character do not matter: every sender's library
	// drops them.
	for scheme, spellings := range map[Encoding][]string{Base64: {"QUI=", "QUJ=", "QUL="}, Base64URL: {"QUI", "QUJ", "QUK="}} {
		for _, text := range spellings {
			s := Scheme{SignatureHeader: "X-Sig", SecretEncoding: scheme, Signed: "{body}"}
			key, reason := s.decodeSecret(kyckit.NewSecret(text))
			require.Empty(t, reason, text)
			require.Equal(t, "AB", string(key), text)
		}
	}
	for name, build := range map[string]func(kyckit.Secret) error{
		"Passwords[0]": func(s kyckit.Secret) error {
			_, err := NewBasic(BasicConfig{Username: "a", Passwords: []kyckit.Secret{s}})
			return err
		},
		"Keys[0]": func(s kyckit.Secret) error {
			_, err := NewAPIKey(APIKeyConfig{Header: "X", Keys: []kyckit.Secret{s}})
			return err
		},
		"Tokens[0]": func(s kyckit.Secret) error {
			_, err := NewSecretPath(SecretPathConfig{Prefix: "/", Tokens: []kyckit.Secret{s}})
			return err
		},
	} {
		for _, secret := range []string{"0123456789abcdef\n", "0123456789abcdef ", "\ufeff0123456789abcdef", ""} {
			err := build(kyckit.NewSecret(secret))
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.ErrorContains(t, err, name)
		}
	}
}

// TestFIPSMode runs this test again where crypto/hmac panics for short keys.
func TestFIPSMode(t *testing.T) {
	const env = "WEBHOOK_TEST_FIPS"
	if os.Getenv(env) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPSMode$", "-test.count=1", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", env+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestFIPSMode")
		return
	}
	for _, c := range []struct {
		scheme Scheme
		secret string
		ok     bool
	}{
		{GitHub(), "13 bytes long", false},
		{GitHub(), "14 bytes long!", true},
		{StandardWebhooks(), base64.StdEncoding.EncodeToString([]byte("13 bytes long")), false},
		{Scheme{SignatureHeader: "X-Sig", Hash: crypto.SHA1, Signed: "{body}"}, "a long secret, long enough", false},
	} {
		a, err := NewHMAC(HMACConfig{Scheme: c.scheme, Secrets: []kyckit.Secret{kyckit.NewSecret(c.secret)}})
		if !c.ok {
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.ErrorContains(t, err, "Secrets[0]")
			continue
		}
		require.NoError(t, err)
		require.ErrorIs(t, a.Authenticate(deliver("{}", "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))), ErrBadSignature)
	}
}

// TestMemoryFollowsWhatHasArrived: strangers who announce a long body and send a
// part of it make the server hold no more than about four times that part.
func TestMemoryFollowsWhatHasArrived(t *testing.T) {
	const connections, sent = 100, 16 << 10
	server := httptest.NewServer(newHandler(t, HandlerConfig{Authenticate: vectors()[0].auth(t)}))
	defer server.Close()
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for range connections {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat("x", sent))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { // all have been read as far as they go
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return strings.Count(string(stacks), "webhook.readBody") >= connections
	}, 20*time.Second, 50*time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	per := float64(heap()-before) / connections
	t.Logf("%.0f bytes a connection", per)
	// Both ends of a connection live in this process: net/http's buffers beside.
	assert.Less(t, per, float64(4*sent+24<<10))
}

// countingReader hands out a body in pieces.
type countingReader struct {
	left, piece int
}

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.piece, r.left)
	r.left -= n
	return n, nil
}

func TestBodyBufferGrowsWithTheBody(t *testing.T) {
	for _, announced := range []int64{-1, 1, 100, 5000, 1 << 20} {
		for _, came := range []int{0, 1, 511, 4096, 5000, 16 << 10, 1 << 20} {
			for _, piece := range []int{1000, 1 << 20} {
				body, err := readBody(&countingReader{came, piece}, announced, 1<<20)
				require.NoError(t, err)
				require.Len(t, body, came)
				require.LessOrEqual(t, cap(body), max(4*came+1, firstRead), "announced %d, came %d", announced, came)
			}
		}
	}
}
