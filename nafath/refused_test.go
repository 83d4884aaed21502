package nafath_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

const envelope401 = `{"version":null,"statusCode":401,"messages":["Unauthorized"],"result":null}`

// revoking is a provider that says 200 to a dead token, and 401 in the envelope.
type revoking struct {
	http.RoundTripper

	mu      sync.Mutex
	dead    map[string]bool
	last    string
	refused int
}

func (r *revoking) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	bearer := req.Header.Get("Authorization")
	dead := r.dead[bearer]
	if dead {
		r.refused++
	} else if bearer != "" {
		r.last = bearer
	}
	r.mu.Unlock()
	if !dead {
		return r.RoundTripper.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(envelope401)), ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

func (r *revoking) revoke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead[r.last] = true
}

// A token that is refused inside a 200 is replaced as after an HTTP 401, and
// everybody who waits is verified.
func TestATokenRefusedInsideA200IsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		cfg := fake.ClientConfig()
		provider := &revoking{RoundTripper: cfg.HTTP.Client.Transport, dead: map[string]bool{}}
		cfg.HTTP.Client = &http.Client{Transport: provider}
		client, err := nafath.New(cfg)
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { require.NoError(t, poller.Close()) }()

		var people sync.WaitGroup
		for i := range 6 {
			people.Go(func() {
				d, err := poller.Verify(t.Context(), fmt.Sprintf("100000%04d", i), func(tx nafath.Transaction) {
					time.AfterFunc(20*time.Second, func() { assert.NoError(t, fake.Approve(tx.TransID, tx.Random)) })
					provider.revoke() // while all of them wait, or are asked for
				})
				if assert.NoError(t, err) {
					assert.Equal(t, fmt.Sprintf("100000%04d", i), d.IDNumber)
				}
			})
		}
		people.Wait()
		assert.Equal(t, 6, fake.Count("request"), "a refused request was not accepted, so nobody is asked twice")
		assert.Positive(t, provider.refused)
		assert.LessOrEqual(t, fake.Count("token"), 8)
	})
}

func TestATokenThatIsRefusedForGoodIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := setup(t, nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		tx, err := client.Request(t.Context(), citizen)
		require.NoError(t, err)
		for _, op := range []string{"request", "status", "details"} {
			fake.Fail(op, 1, kyctest.Fault{Status: 200, Body: envelope401})
		}
		_, err = client.Status(t.Context(), tx)
		require.NoError(t, err, "one refusal costs a token and no more")
		assert.Equal(t, 2, fake.Count("token"))
		_, err = client.Request(t.Context(), citizen)
		require.NoError(t, err)
		fake.Fail("status", 0, kyctest.Fault{Status: 200, Body: envelope401})
		for range 100 {
			_, err = client.Status(t.Context(), tx)
			require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		}
		assert.LessOrEqual(t, fake.Count("token"), 14, "no token is fetched for each refusal")
	})
}
