package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sdk "github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
)

func TestMint(t *testing.T) {
	mint := func(args ...string) result {
		return call(t, append([]string{"token", "mint", "-issuer", "made-up-client", "-secret", file(t, planted)}, args...)...)
	}
	r := mint("-person", "00011122285", "-ttl", "5m", "-json")
	require.Equal(t, exitOK, r.code, r.err)
	end, err := time.Parse(time.RFC3339, fields(t, r.out)["expires"].(string))
	require.NoError(t, err)
	assert.InDelta(t, 300, time.Until(end).Seconds(), 60)
	for name, args := range map[string][]string{
		"no person": {}, "too long": {"-person", "1", "-ttl", "25h"}, "too short": {"-person", "1", "-ttl", "1ms"}, "odd person": {"-person", "a b"},
	} {
		r = mint(args...)
		assert.Equal(t, exitUsage, r.code, name)
		assert.Empty(t, r.out, name)
	}
	assert.Equal(t, exitUsage, call(t, "token", "mint", "-secret", file(t, planted), "-person", "1").code, "no issuer")
}

// token builds a token of a header and claims, signed by the fake.
func token(header, claims string) string {
	return cafsmartauthtest.NewSDK(sdk.NewSecret(planted)).Sign(header, claims)
}

func TestInspect(t *testing.T) {
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	alive := fmt.Sprintf(`{"iss":"i","exp":%d,"personId":"00011122285"}`, time.Now().Add(59*time.Minute+30*time.Second).Unix())
	enc := base64.RawURLEncoding.EncodeToString
	for name, tc := range map[string]struct {
		token  string
		wrong  string // with and without -secret
		secret string // with -secret
	}{
		"good":           {token(hs256, alive), "", ""},
		"good, Bearer":   {"Bearer " + token(hs256, alive) + "\n", "", ""},
		"expired":        {token(hs256, fmt.Sprintf(`{"exp":%d}`, time.Now().Add(-time.Hour).Unix())), "expired", "expired"},
		"none":           {enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(alive)) + ".", "alg is none", "alg is none"},
		"nOnE":           {enc([]byte(`{"alg":"nOnE"}`)) + "." + enc([]byte(alive)) + ".AAAA", "alg is none", "alg is none"},
		"RS256":          {token(`{"alg":"RS256"}`, alive), "foreign", "foreign"},
		"HS512":          {token(`{"alg":"HS512"}`, alive), "foreign", "foreign"},
		"no alg":         {token(`{}`, alive), "foreign", "foreign"},
		"short":          {token(hs256, alive)[:60] + "." + enc([]byte(alive)) + ".AAAA", "", ""},
		"another secret": {cafsmartauthtest.NewSDK(sdk.NewSecret("another")).Sign(hs256, alive), "", "foreign"},
		"no exp":         {token(hs256, `{"iss":"i"}`), "no exp", "no exp"},
		"milliseconds":   {token(hs256, fmt.Sprintf(`{"exp":%d}`, time.Now().Add(time.Hour).UnixMilli())), "milliseconds", "milliseconds"},
		"from later":     {token(hs256, fmt.Sprintf(`{"exp":%d,"iat":%d}`, time.Now().Add(2*time.Hour).Unix(), time.Now().Add(time.Hour).Unix())), "future", "future"},
		"absurd":         {token(hs256, `{"exp":1e300}`), "no time", "no time"},
		"no token":       {"hello", "no token", "no token"},
		"no JSON":        {"AAAA.AAAA.AAAA", "not base64url", "not base64url"},
		"key twice":      {token(hs256, `{"exp":1,"exp":9999999999}`), "not base64url", "not base64url"},
		"empty":          {"", "no token", "no token"},
		"an array":       {token(hs256, `[1]`), "not base64url", "not base64url"},
	} {
		if name == "short" {
			tc.token, tc.wrong, tc.secret = strings.TrimRight(token(hs256, alive), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")+"AAAA", "foreign", "foreign"
		}
		for _, check := range []struct {
			flags []string
			wrong string
		}{{nil, tc.wrong}, {[]string{"-secret", file(t, planted)}, tc.secret}} {
			r := call(t, append([]string{"token", "inspect", file(t, tc.token)}, check.flags...)...)
			asJSON := call(t, append([]string{"token", "inspect", "-json", file(t, tc.token)}, check.flags...)...)
			require.Equal(t, r.code, asJSON.code)
			if check.wrong == "" {
				assert.Equal(t, exitOK, r.code, name+r.out)
				assert.Equal(t, "ok", fields(t, asJSON.out)["result"])
				assert.Contains(t, r.out, "00011122285")
				assert.Contains(t, r.out, "in 59m")
			} else {
				assert.Equal(t, exitFinding, r.code, name+r.out)
				assert.Contains(t, r.out, check.wrong, name)
				assert.Equal(t, "refused", fields(t, asJSON.out)["result"])
			}
			assert.NotContains(t, r.out+r.err+asJSON.out, planted)
			if parts := strings.Split(strings.TrimSpace(tc.token), "."); len(parts) == 3 && len(parts[2]) > 10 {
				assert.NotContains(t, r.out+asJSON.out, parts[2], "the signature")
			}
		}
	}
	r := given{stdin: token(hs256, alive)}.run(t, "token", "inspect", "-")
	assert.Equal(t, exitOK, r.code)
	assert.Equal(t, exitUsage, call(t, "token", "inspect").code)
	assert.Equal(t, exitUsage, call(t, "token", "inspect", token(hs256, alive)).code, "a token is no argument")
}

// A token comes from outside: it must not steer the terminal.
func TestInspectEscapesWhatATerminalObeys(t *testing.T) {
	claims := "{\"exp\":9999999999,\"x\":\"\\u001b[2J\u009b31m\u202e\U000e0041\"}"
	r := call(t, "token", "inspect", file(t, token(`{"alg":"HS256","typ":"JWT"}`, claims)))
	assert.Equal(t, exitOK, r.code, r.out)
	for _, c := range []string{"\x1b", "\u009b", "\u202e", "\U000e0041"} {
		assert.NotContains(t, r.out, c)
	}
	asJSON := call(t, "token", "inspect", "-json", file(t, token(`{"alg":"HS256","typ":"JWT"}`, claims)))
	assert.NotEmpty(t, fields(t, asJSON.out)["claims"])
}

func TestVerifyAttestation(t *testing.T) {
	const person, policy = "00011122285", "login"
	access := call(t, "token", "mint", "-issuer", "i", "-secret", file(t, planted), "-person", person)
	require.Equal(t, exitOK, access.code)
	simulator := cafsmartauthtest.NewSDK(sdk.NewSecret(planted))
	for outcome, want := range map[cafsmartauthtest.Outcome]string{
		cafsmartauthtest.Authorized: "", cafsmartauthtest.Denied: "denied", cafsmartauthtest.Forged: "forged", cafsmartauthtest.Expired: "expired",
		cafsmartauthtest.OtherPerson: "person", cafsmartauthtest.OtherPolicy: "policy", cafsmartauthtest.AccessToken: "access token", cafsmartauthtest.AlgNone: "signed",
	} {
		answer, err := simulator.VerifyPolicy(strings.TrimSpace(access.out), person, policy, outcome)
		require.NoError(t, err)
		args := []string{"token", "verify", "-secret", file(t, planted), "-person", person, "-policy", policy, file(t, answer.Attestation)}
		r := call(t, args...)
		asJSON := call(t, append(args, "-json")...)
		if want == "" {
			assert.Equal(t, exitOK, r.code, r.out+r.err)
			assert.Equal(t, "ok", fields(t, asJSON.out)["result"])
		} else {
			assert.Equal(t, exitFinding, r.code, outcome)
			assert.Contains(t, r.out, want, outcome)
			assert.Equal(t, "refused", fields(t, asJSON.out)["result"])
		}
		assert.NotContains(t, r.out+r.err+asJSON.out, planted)
		assert.NotContains(t, r.out+r.err+asJSON.out, person)
	}
	assert.Equal(t, exitUsage, call(t, "token", "verify", "-secret", file(t, planted), file(t, "x")).code)
}
