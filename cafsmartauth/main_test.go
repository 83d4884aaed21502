package cafsmartauth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testID     = "client-0001"
	testSecret = "a secret of this test only, long enough"
	// A CPF with valid check digits and leading zeros that belong to nobody
	// known: 000.111.222 should end 85.
	testCPF    = "00011122285"
	testPolicy = "policy-0001"
)

// allUsers permits tokens that are bound to nobody.
func allUsers(c *Config) { c.AllowAllUsersTestToken = true }

func newClient(t testing.TB, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{ClientID: testID, ClientSecret: kyckit.NewSecret(testSecret)}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	return c
}

var want = Expected{PersonID: testCPF, PolicyID: testPolicy}

// good are the claims of an attestation that passes.
func good() map[string]any {
	now := time.Now()
	return map[string]any{
		"attemptId": "fa01e0000000000000000001", "peopleId": testCPF, "policyId": testPolicy,
		"isAuthorized": true, "isNewContext": false,
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
	}
}
