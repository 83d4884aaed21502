package webhooktest_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	handled map[string]int
	total   int
	fail    func(n int) bool
}

func newReceiver(t *testing.T, a webhook.Authenticator) *receiver {
	r := &receiver{handled: map[string]int{}}
	h, err := webhook.NewHandler(webhook.HandlerConfig{Authenticate: a, RetryAfter: time.Second, Handle: func(_ context.Context, d *webhook.Delivery) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.total++; r.fail != nil && r.fail(r.total) {
			return fmt.Errorf("down")
		}
		r.handled[string(d.Body)]++
		return nil
	}})
	require.NoError(t, err)
	r.Server = httptest.NewServer(h)
	t.Cleanup(r.Close)
	return r
}

func TestEverySchemeAgainstTheVerifier(t *testing.T) {
	body := "{body}"
	hexSecret, b64 := hex.EncodeToString([]byte("some secret key")), base64.StdEncoding.EncodeToString([]byte("some secret key"))
	for name, c := range map[string]webhooktest.HMAC{
		"Standard Webhooks":   {Scheme: webhook.StandardWebhooks(), Secrets: []string{"whsec_" + b64, b64}},
		"Stripe":              {Scheme: webhook.Stripe(), Secrets: []string{"whsec_x", "whsec_y"}},
		"GitHub":              {Scheme: webhook.GitHub(), Secrets: []string{"x"}},
		"Slack":               {Scheme: webhook.Slack(), Secrets: []string{"x"}},
		"Caf Connect":         {Scheme: webhook.CafConnect(), Secrets: []string{"x"}},
		"SHA-1":               {Scheme: webhook.Scheme{SignatureHeader: "X-Sig", Hash: crypto.SHA1, Signed: body}, Secrets: []string{"x"}},
		"SHA-512, base64 URL": {Scheme: webhook.Scheme{SignatureHeader: "X-Sig", Hash: crypto.SHA512, Encoding: webhook.Base64URL, SecretEncoding: webhook.Base64URL, Signed: body}, Secrets: []string{b64}},
		"SHA-384, hex secret": {Scheme: webhook.Scheme{SignatureHeader: "X-Sig", Hash: crypto.SHA384, Encoding: webhook.Base64, SecretEncoding: webhook.Hex, Signed: body}, Secrets: []string{hexSecret}},
		"keyed":               {Scheme: webhook.Scheme{SignatureHeader: "X-Sig", Grammar: webhook.GrammarKeyed, Algorithm: "hmac-sha256", Signed: body}, Secrets: []string{"x"}, KeyID: "k"},
		"quoted": {Scheme: webhook.Scheme{
			SignatureHeader: "Authorization", Prefix: "Signature ", Grammar: webhook.GrammarPairs, Quoted: true, KeyIDKey: "keyId", AlgorithmKey: "algorithm",
			Algorithm: "hmac-sha256", SignatureKey: "signature", TimestampKey: "created", TimestampUnit: webhook.UnixMillis,
			Signed: "{method}{path}?{query}{url}{header:content-type}\n{timestamp}.{bodySHA256}",
		}, Secrets: []string{"x"}, KeyID: "k", PublicURL: "https://me.example/hook"},
		"RFC 3339": {Scheme: webhook.Scheme{SignatureHeader: "X-Sig", TimestampHeader: "X-Time", TimestampUnit: webhook.RFC3339, AlgorithmHeader: "X-Alg", Algorithm: "a", Signed: "{timestamp}{body}"}, Secrets: []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			keys := []webhook.HMACKey{{ID: c.KeyID, Secret: kyckit.NewSecret(c.Secrets[len(c.Secrets)-1])}}
			a, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: c.Scheme, Keys: keys, PublicURL: c.PublicURL})
			require.NoError(t, err)
			r := newReceiver(t, a)
			one := c
			one.Secrets = c.Secrets[len(c.Secrets)-1:]
			s := &webhooktest.Sender{URL: r.URL + "/hook?a=1", Signer: one}
			event := webhooktest.Event{ID: "evt_1", Body: []byte(`{"n":1}`)}
			for _, answer := range s.Forge(t.Context(), event, c.Scheme.SignatureHeader) {
				require.NoError(t, answer.Err)
				assert.Equal(t, 401, answer.Status, answer.What)
			}
			require.Empty(t, r.handled)
			s.Signer = c // a rotation: several signatures, of which one is good
			require.Equal(t, 200, s.Send(t.Context(), event).Status)
			if c.Scheme.TimestampHeader+c.Scheme.TimestampKey != "" {
				other := webhooktest.Event{ID: "evt_2", Body: []byte(`{"n":2}`)}
				assert.Equal(t, 401, s.Replay(t.Context(), other, 6*time.Minute).Status)
				assert.Equal(t, 401, s.Replay(t.Context(), other, -6*time.Minute).Status)
			}
			require.Equal(t, map[string]int{`{"n":1}`: 1}, r.handled)
		})
	}
}

func TestSignerRefusesABrokenScheme(t *testing.T) {
	for _, s := range []webhooktest.HMAC{
		{Scheme: webhook.Scheme{SignatureHeader: "X-Sig", Hash: 9}, Secrets: []string{"x"}},
		{Scheme: webhook.StandardWebhooks(), Secrets: []string{"whsec_!"}},
		{Scheme: webhook.GitHub()},
	} {
		require.Error(t, s.Sign(httptest.NewRequest("POST", "/", nil), "id", time.Now(), nil))
	}
}

func TestForgeNeedsASignature(t *testing.T) {
	s := &webhooktest.Sender{URL: "http://127.0.0.1:1", Signer: webhooktest.Unsigned{}}
	for _, answer := range s.Forge(t.Context(), webhooktest.Event{}, "x-signature") {
		require.ErrorContains(t, answer.Err, "X-Signature", answer.What)
	}
}

// A receiver that leaves the signed time out of what it checks is found out.
func TestForgeMovesTheTime(t *testing.T) {
	for _, tc := range []struct {
		scheme webhook.Scheme
		moves  bool
	}{
		{webhook.Slack(), true},   // the time has a header of its own
		{webhook.Stripe(), false}, // it stands beside the signature, so an older one is good
		{webhook.GitHub(), false}, // there is none
	} {
		s := &webhooktest.Sender{URL: "http://127.0.0.1:1", Signer: webhooktest.HMAC{Scheme: tc.scheme, Secrets: []string{"whsec_x"}}}
		var what []string
		for _, answer := range s.Forge(t.Context(), webhooktest.Event{Body: []byte("{}")}, tc.scheme.SignatureHeader) {
			what = append(what, answer.What)
		}
		if tc.moves {
			assert.Contains(t, what, "with the signature of another time")
		} else {
			assert.NotContains(t, what, "with the signature of another time")
		}
	}
}

func TestEd25519AgainstTheVerifier(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	a, err := webhook.NewEd25519(webhook.Ed25519Config{PublicKeys: []ed25519.PublicKey{public}, SignatureHeader: "X-DLT-Signature", TimestampHeader: "X-DLT-Timestamp", Tolerance: time.Minute})
	require.NoError(t, err)
	r := newReceiver(t, a)
	s := &webhooktest.Sender{URL: r.URL, Signer: webhooktest.Ed25519{PrivateKey: private, SignatureHeader: "X-DLT-Signature", TimestampHeader: "X-DLT-Timestamp"}}
	event := webhooktest.Event{Body: []byte(`{"n":1}`)}
	for _, answer := range s.Forge(t.Context(), event, "x-dlt-signature") {
		assert.Equal(t, 401, answer.Status, answer.What)
	}
	require.Equal(t, 401, s.Replay(t.Context(), event, 2*time.Minute).Status)
	require.Equal(t, 200, s.Send(t.Context(), event).Status)
}

// TestStormIsHandledOnce: eager copies in any order, and a handler that fails
// now and then; in the end each event was handled exactly once.
func TestStormIsHandledOnce(t *testing.T) {
	a, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.GitHub(), Secrets: []kyckit.Secret{kyckit.NewSecret("x")}})
	require.NoError(t, err)
	r := newReceiver(t, a)
	r.fail = func(n int) bool { return n%3 == 1 }
	s := &webhooktest.Sender{URL: r.URL, Signer: webhooktest.HMAC{Scheme: webhook.GitHub(), Secrets: []string{"x"}}}
	var events []webhooktest.Event
	for i := range 30 {
		events = append(events, webhooktest.Event{ID: fmt.Sprint(i), Body: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	for _, answer := range s.Storm(t.Context(), events, 4, 8, 1) {
		require.NoError(t, answer.Err)
		require.Contains(t, []int{200, 503}, answer.Status)
	}
	for _, e := range events {
		require.Equal(t, 200, s.SendUntilAccepted(t.Context(), e, 5, time.Millisecond).Status)
	}
	require.Len(t, r.handled, 30)
	for body, n := range r.handled {
		assert.Equal(t, 1, n, body)
	}
}

// TestCAReportsWhatItCannotDo: a program that is no test gets an error.
func TestCAReportsWhatItCannotDo(t *testing.T) {
	ca, err := webhooktest.NewCA("CA")
	require.NoError(t, err)
	for _, leaf := range []webhooktest.Leaf{{URIs: []string{"%zz"}}, {DNSNames: []string{"تجربة.example"}}} {
		_, err = ca.Issue(leaf)
		require.ErrorContains(t, err, "webhooktest: ")
		for _, kind := range webhooktest.BadCerts() {
			_, err = ca.Bad(kind, leaf)
			require.ErrorContains(t, err, "webhooktest: ", kind)
		}
	}
	id, err := ca.Issue(webhooktest.Leaf{})
	require.NoError(t, err)
	for what, start := range map[string]func() (*httptest.Server, error){
		"no host":     func() (*httptest.Server, error) { return webhooktest.NewProxy(webhook.ProxyNginx, "backend", id) },
		"no URL":      func() (*httptest.Server, error) { return webhooktest.NewProxy(webhook.ProxyNginx, "http://[", id) },
		"no identity": func() (*httptest.Server, error) { return webhooktest.NewProxy(webhook.ProxyNginx, "http://x", nil) },
		"no format":   func() (*httptest.Server, error) { return webhooktest.NewProxy(0, "http://x", id) },
	} {
		_, err := start()
		require.ErrorContains(t, err, "webhooktest: ", what)
	}
}
