package cafsmartauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
)

// Tokens of this provider cost nothing, but a call that is always refused must
// not take the token of the others all the same.
func TestAnAttemptThatIsAlwaysRefusedTakesNothingElseDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := cafsmartauthtest.Config{}
		cfg.InMemory = true
		fake := cafsmartauthtest.NewServer(cfg)
		defer fake.Close()
		fake.Handle("GET /authentications/odd", "odd", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		client, err := cafsmartauth.New(fake.ClientConfig())
		require.NoError(t, err)
		for range 600 {
			_, err := client.Authentication(t.Context(), "odd")
			require.ErrorIs(t, err, kyckit.ErrUnauthorized)
			_, err = client.Authentication(t.Context(), "unknown")
			assert.ErrorIs(t, err, kyckit.ErrNotFound, "it was asked, with a token that is accepted")
			time.Sleep(time.Second)
		}
	})
}
