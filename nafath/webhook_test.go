package nafath_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
)

// inProcess is a transport that calls a handler.
type inProcess struct{ handler http.Handler }

func (p *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// apiKey signs nothing and names itself.
type apiKey string

func (k apiKey) Sign(r *http.Request, _ string, _ time.Time, _ []byte) error {
	r.Header.Set("X-Api-Key", string(k))
	return nil
}

func TestWebhookFromProviderToPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "made-up-key-of-a-test"
		receiver := &inProcess{}
		fake := nafathtest.NewServer(nafathtest.Config{
			Limits: nafath.Limits{Requests: -1},
			Options: kyctest.Options{InMemory: true, Webhook: kyctest.Webhook{
				URL: "http://127.0.0.1/nafath", Client: &http.Client{Transport: receiver}, Signer: apiKey(key),
			}},
		})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { assert.NoError(t, poller.Close()) }()
		auth, err := webhook.NewAPIKey(webhook.APIKeyConfig{Header: "X-Api-Key", Keys: []kyckit.Secret{kyckit.NewSecret(key)}})
		require.NoError(t, err)
		receiver.handler, err = webhook.NewHandler(webhook.HandlerConfig{Authenticate: auth, Handle: poller.HandleWebhook})
		require.NoError(t, err)

		// Forty are open, so that a turn takes 40 s without the webhook.
		txs := make([]nafath.Transaction, 40)
		for i := range txs {
			txs[i], err = client.Request(t.Context(), person(i))
			require.NoError(t, err)
		}
		require.NoError(t, poller.Add(txs...))
		time.Sleep(time.Minute)
		for _, tx := range txs[:3] {
			require.NoError(t, fake.Approve(tx.TransID, tx.Random))
			approved := time.Now()
			status, err := poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusCompleted, status)
			assert.LessOrEqual(t, time.Since(approved), 3*time.Second)
			time.Sleep(5 * time.Second)
		}

		stranger := kyctest.Webhook{URL: "http://127.0.0.1/nafath", Client: &http.Client{Transport: receiver}}
		code, err := stranger.Deliver(t.Context(), nafathtest.Event(txs[5].TransID, nafath.StatusCompleted))
		require.NoError(t, err)
		assert.Equal(t, 401, code, "a stranger hints at nothing")
		assert.EqualValues(t, 3, poller.Stats().Hints)
	})
}
