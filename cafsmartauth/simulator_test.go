package cafsmartauth_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
)

// The whole way of a person, for every outcome the simulator knows.
func TestEveryOutcome(t *testing.T) {
	outcomes := map[cafsmartauthtest.Outcome]error{
		cafsmartauthtest.Authorized:           nil,
		cafsmartauthtest.AuthorizedNewContext: nil,
		cafsmartauthtest.Denied:               cafsmartauth.ErrDenied,
		cafsmartauthtest.DeniedUnsigned:       cafsmartauth.ErrDenied,
		cafsmartauthtest.Pending:              cafsmartauth.ErrPending,
		cafsmartauthtest.PendingUnsigned:      cafsmartauth.ErrPending,
		cafsmartauthtest.Expired:              cafsmartauth.ErrExpired,
		cafsmartauthtest.FromTheFuture:        cafsmartauth.ErrNotYetValid,
		cafsmartauthtest.Forged:               cafsmartauth.ErrForged,
		cafsmartauthtest.Tampered:             cafsmartauth.ErrForged,
		cafsmartauthtest.OtherPerson:          cafsmartauth.ErrWrongPerson,
		cafsmartauthtest.OtherPolicy:          cafsmartauth.ErrWrongPolicy,
		cafsmartauthtest.AccessToken:          cafsmartauth.ErrAccessToken,
		cafsmartauthtest.AlgNone:              cafsmartauth.ErrForged,
		cafsmartauthtest.AlgHS512:             cafsmartauth.ErrForged,
		cafsmartauthtest.AlgRS256:             cafsmartauth.ErrForged,
	}
	require.Len(t, outcomes, len(cafsmartauthtest.Outcomes()))
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t)
		want := cafsmartauth.Expected{PersonID: cpf, PolicyID: policy}
		for outcome, is := range outcomes {
			token, err := client.Mint(cpf, time.Minute)
			require.NoError(t, err)
			answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), cpf, policy, outcome)
			require.NoError(t, err)
			a, err := client.VerifyAnswer(answer, want)
			name := fmt.Sprint("outcome ", outcome)
			require.ErrorIs(t, err, is, name)
			if is == nil {
				assert.Equal(t, answer.AttemptID, a.AttemptID)
				assert.Equal(t, outcome == cafsmartauthtest.AuthorizedNewContext, *a.IsNewContext)
			}
			// The details can be read whatever came out.
			details, err := client.Authentication(t.Context(), answer.AttemptID)
			require.NoError(t, err)
			assert.Equal(t, cpf, details.Identity.PersonID)
		}
		assert.Len(t, fake.Attempts(), len(outcomes))
		fake.Close()
	})
}

func TestPitfallATokenOfOnePersonIsNotForAnother(t *testing.T) {
	fake, client := start(t, func(c *cafsmartauth.Config) { c.AllowAllUsersTestToken = true })
	token, err := client.Mint(cpf, time.Minute)
	require.NoError(t, err)
	_, err = fake.SDK().VerifyPolicy(token.Access.Reveal(), cafsmartauthtest.OtherCPF, policy, cafsmartauthtest.Authorized)
	require.Error(t, err)
	unbound, err := client.MintAllUsersTestToken(time.Minute)
	require.NoError(t, err)
	_, err = fake.SDK().VerifyPolicy(unbound.Access.Reveal(), cafsmartauthtest.OtherCPF, policy, cafsmartauthtest.Authorized)
	require.NoError(t, err)
}

// The fake must refuse what the provider refuses, or tests against it prove
// nothing.
func TestTheFakeRefusesBadTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t)
		sdk := fake.SDK()
		good, err := client.Mint(cpf, time.Minute)
		require.NoError(t, err)
		sign := func(payload string) string { return sdk.Sign(`{"alg":"HS256","typ":"JWT"}`, payload) }
		exp := time.Now().Add(time.Minute)
		bad := map[string]string{
			"empty":        "",
			"no JWT":       "a.b",
			"no exp":       sign(`{"iss":"fake-client-id"}`),
			"no iss":       sign(fmt.Sprintf(`{"exp":%d}`, exp.Unix())),
			"exp string":   sign(fmt.Sprintf(`{"iss":"fake-client-id","exp":"%d"}`, exp.Unix())),
			"milliseconds": sign(fmt.Sprintf(`{"iss":"fake-client-id","exp":%d}`, exp.UnixMilli())),
			"peopleId":     sign(fmt.Sprintf(`{"iss":"fake-client-id","exp":%d,"peopleId":"x"}`, exp.Unix())),
			"other secret": cafsmartauthtest.NewSDK(kyckit.NewSecret("another-made-up-secret")).Sign(`{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"iss":"fake-client-id","exp":%d}`, exp.Unix())),
			"other header": sdk.Sign(`{"alg":"none","typ":"JWT"}`, fmt.Sprintf(`{"iss":"fake-client-id","exp":%d}`, exp.Unix())),
		}
		for name, token := range bad {
			_, err := sdk.VerifyPolicy(token, cpf, policy, cafsmartauthtest.Authorized)
			require.Error(t, err, name)
		}
		_, err = sdk.VerifyPolicy(good.Access.Reveal(), "000.111.222-85", policy, cafsmartauthtest.Authorized)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = sdk.VerifyPolicy(good.Access.Reveal(), cpf, policy, cafsmartauthtest.Authorized)
		require.Error(t, err)
		fake.Close()
	})
}
