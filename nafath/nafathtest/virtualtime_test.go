package nafathtest_test

import (
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

// The test of the package documentation: a person who takes three minutes less
// a second, in no time.
func TestAPersonWhoTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { _ = poller.Close() }()

		details, err := poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			time.AfterFunc(179*time.Second, func() { _ = fake.Approve(tx.TransID, tx.Random) })
		})
		require.NoError(t, err)
		assert.Equal(t, citizen, details.IDNumber)
	})
}

// The fake's webhooks reach a handler of one's own, still in virtual time.
func TestWebhooksInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		fake := nafathtest.NewServer(nafathtest.Config{
			Options: kyctest.Options{InMemory: true, Webhook: kyctest.Webhook{
				URL: receiver.URL + "/hook/made-up-token-of-tests", Client: receiver.Client(), Delay: 300 * time.Millisecond,
			}},
		})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { _ = poller.Close() }()

		path, err := webhook.NewSecretPath(webhook.SecretPathConfig{Prefix: "/hook/", Tokens: []kyckit.Secret{kyckit.NewSecret("made-up-token-of-tests")}})
		require.NoError(t, err)
		handler, err := webhook.NewHandler(webhook.HandlerConfig{Authenticate: path, Handle: poller.HandleWebhook})
		require.NoError(t, err)
		receiver.Handle("POST /hook/", "hook", handler.ServeHTTP)

		tx, err := poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		time.Sleep(20 * time.Second)
		require.NoError(t, fake.Approve(tx.TransID, tx.Random))
		_, err = poller.Resume(t.Context(), tx)
		require.NoError(t, err)
		time.Sleep(time.Second) // the poller may be faster than the webhook
		assert.Equal(t, 1, receiver.Count("hook"))
	})
}
