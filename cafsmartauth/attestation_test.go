package cafsmartauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestVerifyAttestation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		got, err := newClient(t).VerifyAttestation(attestation(good()), want)
		require.NoError(t, err)
		known := false
		assert.Equal(t, &Attestation{
			AttemptID: "fa01e0000000000000000001", PersonID: testCPF, PolicyID: testPolicy,
			IsNewContext: &known, IssuedAt: now.Local(), ExpiresAt: now.Add(2 * time.Minute).Local(),
		}, got)
	})
}

// with returns good claims with one changed; without with one missing.
func with(key string, value any) map[string]any {
	c := good()
	c[key] = value
	return c
}

func without(keys ...string) map[string]any {
	c := good()
	for _, k := range keys {
		delete(c, k)
	}
	return c
}

func TestAttestationsThatPass(t *testing.T) {
	c := newClient(t)
	for name, token := range map[string]string{
		"without iat":              attestation(without("iat")),
		"without isNewContext":     attestation(without("isNewContext")),
		"punctuated person":        attestation(with("peopleId", "000.111.222-85")),
		"unknown claim":            attestation(with("somethingNew", map[string]any{"a": []any{1, "x", nil, true}})),
		"issuer beside everything": attestation(with("iss", testID)),
		"a few seconds past exp":   attestation(with("exp", time.Now().Add(-5*time.Second).Unix())),
		"clock a little behind":    attestation(with("iat", time.Now().Add(20*time.Second).Unix())),
		"header without typ":       signed(`{"alg":"HS256"}`, payload(good())),
		"header with kid":          signed(`{"typ":"JWT","kid":"k","alg":"HS256"}`, payload(good())),
		"white space":              signed(" {\"alg\" : \"HS256\"}\n", "\t"+strings.ReplaceAll(payload(good()), ",", " , ")+"\r\n"),
		"escapes":                  signed(plainHeader, strings.ReplaceAll(payload(good()), "peopleId", `people\u0049d`)),
	} {
		a, err := c.VerifyAttestation(token, want)
		require.NoError(t, err, name)
		assert.Equal(t, testCPF, a.PersonID, name)
	}
	a, err := c.VerifyAttestation(attestation(without("isNewContext", "iat")), Expected{PersonID: "000.111.222-85", PolicyID: testPolicy})
	require.NoError(t, err)
	assert.Nil(t, a.IsNewContext)
	assert.True(t, a.IssuedAt.IsZero())
	a, err = c.VerifyAttestation(attestation(with("isNewContext", true)), want)
	require.NoError(t, err)
	assert.True(t, *a.IsNewContext)
}

func payload(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// twice puts a second member into an object.
func twice(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }

func TestEveryBadAttestationHasItsOwnError(t *testing.T) {
	c := newClient(t)
	now := time.Now()
	ok := payload(good())
	for _, tc := range []struct {
		name, token string
		is          error
		text        string
	}{
		{"nothing", "", ErrMalformed, "there is none"},
		{"one part", "abc", ErrMalformed, "not three parts"},
		{"two parts", "abc.def", ErrMalformed, "not three parts"},
		{"four parts", attestation(good()) + ".x", ErrMalformed, "not three parts"},
		{"empty parts", "..", ErrMalformed, "not three parts"},
		{"a mebibyte", strings.Repeat("x", 1<<20), ErrMalformed, "longer than"},
		{"one byte too long", strings.Repeat("x", maxAttestation+1), ErrMalformed, "longer than"},

		{"unsigned", b64(plainHeader) + "." + b64(ok) + ".", ErrForged, "not signed"},
		{"alg none", b64(`{"alg":"none"}`) + "." + b64(ok) + ".", ErrForged, "not signed"},
		{"alg HS512", hs512(ok), ErrForged, "not one of HS256"},
		{"alg RS256", b64(`{"alg":"RS256"}`) + "." + b64(ok) + "." + b64(strings.Repeat("s", 256)), ErrForged, "not one of HS256"},
		{"alg ES256", b64(`{"alg":"ES256"}`) + "." + b64(ok) + "." + b64(strings.Repeat("s", 64)), ErrForged, "not one of HS256"},
		{"signed with another secret", otherSecret(ok), ErrForged, "does not match"},
		{"one bit of the payload", flip(attestation(good()), 60), ErrForged, "does not match"},
		{"padded signature", attestation(good()) + "=", ErrForged, "not one of HS256"},
		{"alg none, signed", signed(`{"alg":"none"}`, ok), ErrMalformed, "another algorithm"},
		{"alg HS512, signed", signed(`{"alg":"HS512"}`, ok), ErrMalformed, "another algorithm"},
		{"alg RS256, signed", signed(`{"alg":"RS256"}`, ok), ErrMalformed, "another algorithm"},
		{"alg hs256", signed(`{"alg":"hs256"}`, ok), ErrMalformed, "another algorithm"},
		{"alg escaped", signed(`{"alg":"\u0048S256"}`, ok), ErrMalformed, "another algorithm"},
		{"alg list", signed(`{"alg":["HS256"]}`, ok), ErrMalformed, "another algorithm"},
		{"no alg", signed(`{"typ":"JWT"}`, ok), ErrMalformed, "names no algorithm"},
		{"Alg", signed(`{"Alg":"HS256"}`, ok), ErrMalformed, "names no algorithm"},
		{"alg twice", signed(`{"alg":"HS256","alg":"HS256"}`, ok), ErrMalformed, "header is not strict"},
		{"alg and ALG", signed(`{"alg":"HS256","ALG":"none"}`, ok), ErrMalformed, "header is not strict"},
		{"crit", signed(`{"alg":"HS256","crit":["exp"]}`, ok), ErrMalformed, "extension"},
		{"crit empty", signed(`{"alg":"HS256","crit":[]}`, ok), ErrMalformed, "extension"},
		{"b64", signed(`{"alg":"HS256","b64":false}`, ok), ErrMalformed, "extension"},
		{"zip", signed(`{"alg":"HS256","zip":"DEF"}`, ok), ErrMalformed, "extension"},
		{"typ", signed(`{"alg":"HS256","typ":"at+jwt"}`, ok), ErrMalformed, "another type"},
		{"typ number", signed(`{"alg":"HS256","typ":1}`, ok), ErrMalformed, "another type"},
		{"header list", signed(`["HS256"]`, ok), ErrMalformed, "not a JSON object"},
		{"header null", signed(`null`, ok), ErrMalformed, "not a JSON object"},
		{"header and more", signed(plainHeader+"{}", ok), ErrMalformed, "header is not strict"},
		{"header not JSON", signed(`{"alg":"HS256",}`, ok), ErrMalformed, "header is not strict"},
		{"header padded", signedRaw(b64(`{"alg":"HS256" }`) + "=." + b64(ok)), ErrMalformed, "header is not canonical"},
		{"header with a line break", signedRaw(b64(plainHeader) + "\n." + b64(ok)), ErrMalformed, "header is not canonical"},
		{"header in the standard alphabet", signedRaw(base64.RawStdEncoding.EncodeToString([]byte(`{"alg":"HS256","x":"~~~???"}`)) + "." + b64(ok)), ErrMalformed, "header is not canonical"},

		{"payload null", signed(plainHeader, `null`), ErrMalformed, "not a JSON object"},
		{"payload list", signed(plainHeader, `[]`), ErrMalformed, "not a JSON object"},
		{"payload string", signed(plainHeader, `"x"`), ErrMalformed, "not a JSON object"},
		{"payload empty object", signed(plainHeader, `{}`), ErrMalformed, "no attemptId"},
		{"payload not JSON", signed(plainHeader, `{"a":}`), ErrMalformed, ""},
		{"payload and more", signed(plainHeader, ok+"{}"), ErrMalformed, ""},
		{"payload not UTF-8", signed(plainHeader, twice(ok, "\"x\":\"\xff\"")), ErrMalformed, "claims are not strict"},
		{"payload with a line break", signedRaw(b64(plainHeader) + "." + b64(ok)[:20] + "\r\n" + b64(ok)[20:]), ErrMalformed, "payload is not canonical"},
		{"payload padded", signedRaw(b64(plainHeader) + "." + pad(ok)), ErrMalformed, ""},
		{"payload with stray bits", signedRaw(b64(plainHeader) + "." + stray(ok)), ErrMalformed, ""},
		{"same key twice", signed(plainHeader, twice(ok, `"isAuthorized":true`)), ErrMalformed, "claims are not strict"},
		{"second person", signed(plainHeader, twice(ok, `"peopleId":"11144477735"`)), ErrMalformed, "claims are not strict"},
		{"second person in capitals", signed(plainHeader, twice(ok, `"PEOPLEID":"11144477735"`)), ErrMalformed, "claims are not strict"},
		{"second key by folding", signed(plainHeader, twice(ok, `"i`+"\u017f"+`Authorized":true`)), ErrMalformed, "claims are not strict"},
		{"second key by escape", signed(plainHeader, twice(ok, `"\u0065xp":9999999999`)), ErrMalformed, "claims are not strict"},

		{"no attemptId", attestation(without("attemptId")), ErrMalformed, "no attemptId"},
		{"no peopleId", attestation(without("peopleId")), ErrMalformed, "no peopleId"},
		{"no policyId", attestation(without("policyId")), ErrMalformed, "no policyId"},
		{"no isAuthorized", attestation(without("isAuthorized")), ErrMalformed, "no isAuthorized"},
		{"AttemptId", signed(plainHeader, strings.Replace(ok, "attemptId", "AttemptId", 1)), ErrMalformed, "no attemptId"},
		{"PeopleID", signed(plainHeader, strings.Replace(ok, "peopleId", "PeopleID", 1)), ErrMalformed, "no peopleId"},
		{"isauthorized", signed(plainHeader, strings.Replace(ok, "isAuthorized", "isauthorized", 1)), ErrMalformed, "no isAuthorized"},
		{"empty attemptId", attestation(with("attemptId", "")), ErrMalformed, "attemptId that is empty"},
		{"empty peopleId", attestation(with("peopleId", "")), ErrMalformed, "peopleId that is empty"},
		{"empty policyId", attestation(with("policyId", "")), ErrMalformed, "policyId that is empty"},
		{"null attemptId", attestation(with("attemptId", nil)), ErrMalformed, "attemptId that is empty or not a string"},
		{"peopleId as a number", attestation(with("peopleId", int64(11144477735))), ErrMalformed, "peopleId that is empty or not a string"},
		{"peopleId in a list", attestation(with("peopleId", []string{testCPF})), ErrMalformed, "peopleId that is empty or not a string"},
		{"policyId as an object", attestation(with("policyId", map[string]any{})), ErrMalformed, "policyId that is empty or not a string"},
		{"isAuthorized as a string", attestation(with("isAuthorized", "true")), ErrMalformed, "not a boolean"},
		{"isAuthorized as a number", attestation(with("isAuthorized", 1)), ErrMalformed, "not a boolean"},
		{"isAuthorized null", attestation(with("isAuthorized", nil)), ErrMalformed, "not a boolean"},
		{"isAuthorized in a list", attestation(with("isAuthorized", []bool{true})), ErrMalformed, "not a boolean"},
		{"isNewContext as a string", attestation(with("isNewContext", "no")), ErrMalformed, "not a boolean"},

		{"no exp", attestation(without("exp")), ErrMalformed, "no exp"},
		{"exp null", attestation(with("exp", nil)), ErrMalformed, "exp that is not"},
		{"exp zero", attestation(with("exp", 0)), ErrMalformed, "exp that is not"},
		{"exp negative", attestation(with("exp", -1)), ErrMalformed, "exp that is not"},
		{"exp as a string", attestation(with("exp", fmt.Sprint(now.Add(time.Minute).Unix()))), ErrMalformed, "exp that is not"},
		{"exp in milliseconds", attestation(with("exp", now.Add(time.Minute).UnixMilli())), ErrMalformed, "exp that is not"},
		{"exp in nanoseconds", attestation(with("exp", now.Add(time.Minute).UnixNano())), ErrMalformed, "exp that is not"},
		{"exp with a fraction", attestation(with("exp", json.RawMessage(fmt.Sprint(now.Unix()+60)+".5"))), ErrMalformed, "exp that is not"},
		{"exp with an exponent", attestation(with("exp", json.RawMessage("2e9"))), ErrMalformed, "exp that is not"},
		{"exp beyond 64 bits", attestation(with("exp", json.RawMessage("18446744073709551617"))), ErrMalformed, "exp that is not"},
		{"EXP", signed(plainHeader, strings.Replace(ok, `"exp"`, `"EXP"`, 1)), ErrMalformed, "no exp"},
		{"iat as a string", attestation(with("iat", "now")), ErrMalformed, "iat that is not"},
		{"iat in milliseconds", attestation(with("iat", now.UnixMilli())), ErrMalformed, "iat that is not"},
		{"nbf as a string", attestation(with("nbf", "now")), ErrMalformed, "nbf that is not"},

		{"an hour past", attestation(with("exp", now.Add(-time.Hour).Unix())), ErrExpired, ""},
		{"past the leeway", attestation(with("exp", now.Add(-32*time.Second).Unix())), ErrExpired, ""},
		{"iat in the future", attestation(with("iat", now.Add(time.Hour).Unix())), ErrNotYetValid, ""},
		{"nbf in the future", attestation(with("nbf", now.Add(time.Hour).Unix())), ErrNotYetValid, ""},

		{"another person", attestation(with("peopleId", "11144477735")), ErrWrongPerson, ""},
		{"a person without leading zeros", attestation(with("peopleId", "11122285")), ErrWrongPerson, ""},
		{"another policy", attestation(with("policyId", "policy-0002")), ErrWrongPolicy, ""},
		{"the policy in capitals", attestation(with("policyId", strings.ToUpper(testPolicy))), ErrWrongPolicy, ""},
		{"not authorised", attestation(with("isAuthorized", false)), ErrDenied, ""},
		{"not authorised, another person", attestation(func() map[string]any {
			c := with("isAuthorized", false)
			c["peopleId"] = "11144477735"
			return c
		}()), ErrWrongPerson, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := c.VerifyAttestation(tc.token, want)
			assert.Nil(t, a)
			require.ErrorIs(t, err, tc.is)
			for _, other := range refusals {
				assert.Equalf(t, errors.Is(tc.is, other), errors.Is(err, other), "%v", other)
			}
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "verify attestation", e.Op)
			assert.Contains(t, err.Error(), tc.is.Error())
			assert.Contains(t, err.Error(), tc.text)
			if errors.Is(tc.is, ErrDenied) {
				assert.ErrorIs(t, err, kyckit.ErrForbidden)
			} else {
				assert.ErrorIs(t, err, kyckit.ErrInvalid)
			}
		})
	}
}

var refusals = []error{
	ErrMalformed, ErrForged, ErrAccessToken, ErrExpired, ErrNotYetValid, ErrWrongPerson, ErrWrongPolicy, ErrDenied, ErrPending, ErrReplayed,
}

func hs512(payload string) string {
	in := b64(`{"alg":"HS512","typ":"JWT"}`) + "." + b64(payload)
	mac := hmac.New(sha512.New, []byte(testSecret))
	mac.Write([]byte(in))
	return in + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func otherSecret(payload string) string {
	in := b64(plainHeader) + "." + b64(payload)
	mac := hmac.New(sha256.New, []byte(testSecret+"!"))
	mac.Write([]byte(in))
	return in + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func flip(token string, i int) string {
	b := []byte(token)
	if b[i]++; b[i] == 'z'+1 || b[i] == '.' {
		b[i] = 'A'
	}
	return string(b)
}

// pad spells the payload so that padding is needed, and pads it.
func pad(payload string) string {
	for len(payload)%3 == 0 {
		payload += " "
	}
	return base64.URLEncoding.EncodeToString([]byte(payload))
}

// stray sets a bit that no byte uses.
func stray(payload string) string {
	for len(payload)%3 != 1 {
		payload += " "
	}
	s := []byte(b64(payload))
	s[len(s)-1]++
	return string(s)
}

func TestSignatureHasOneSpellingOnly(t *testing.T) {
	c := newClient(t)
	token := attestation(good())
	dot := strings.LastIndexByte(token, '.')
	_, err := c.VerifyAttestation(token, want)
	require.NoError(t, err)

	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, last := range alphabet {
		if other := token[:len(token)-1] + string(last); other != token {
			_, err := c.VerifyAttestation(other, want)
			require.ErrorIs(t, err, ErrForged)
		}
	}
	for _, signature := range []string{
		token[dot+1:dot+20] + "\n" + token[dot+21:], // the length is right, a byte is missing
		token[dot+1:] + "\n", "\r\n" + token[dot+1:], " " + token[dot+2:],
		strings.Repeat("\n", 43), strings.Repeat("\x00", 43), strings.Repeat("é", 21) + "A",
	} {
		_, err := c.VerifyAttestation(token[:dot+1]+signature, want)
		require.ErrorIs(t, err, ErrForged)
	}
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	c := newClient(t)
	token := attestation(good())
	for i := range len(token) {
		_, err := c.VerifyAttestation(flip(token, i), want)
		require.Errorf(t, err, "byte %d", i)
	}
	for i := range len(token) {
		_, err := c.VerifyAttestation(token[:i], want)
		require.Errorf(t, err, "cut at %d", i)
	}
}

func TestAnEmptyExpectationNeverMatches(t *testing.T) {
	c := newClient(t)
	token := attestation(good())
	for _, w := range []Expected{{}, {PolicyID: testPolicy}, {PersonID: "not a CPF", PolicyID: testPolicy}, {PersonID: testCPF + "1", PolicyID: testPolicy}} {
		_, err := c.VerifyAttestation(token, w)
		require.ErrorIs(t, err, ErrWrongPerson)
	}
	_, err := c.VerifyAttestation(token, Expected{PersonID: testCPF})
	require.ErrorIs(t, err, ErrWrongPolicy)
	// Not even when the attestation is as odd as the expectation.
	_, err = c.VerifyAttestation(attestation(with("peopleId", "odd")), Expected{PersonID: "odd", PolicyID: testPolicy})
	require.ErrorIs(t, err, ErrWrongPerson)
}

func TestLeewayIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, leeway := range []time.Duration{0, time.Nanosecond, 10 * time.Second, time.Minute} {
			c := newClient(t, func(cfg *Config) { cfg.Leeway = leeway })
			if leeway == 0 {
				leeway = 30 * time.Second // the default
			}
			claims := good()
			token := attestation(claims)
			end := time.Unix(claims["exp"].(int64), 0)
			time.Sleep(time.Until(end) + leeway - time.Nanosecond)
			_, err := c.VerifyAttestation(token, want)
			require.NoError(t, err)
			time.Sleep(time.Nanosecond)
			_, err = c.VerifyAttestation(token, want)
			require.ErrorIs(t, err, ErrExpired)
		}
	})
}

func TestRefusingBeforeTheMACAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	c := newClient(t)
	bad := flip(attestation(good()), 60)
	huge := strings.Repeat("e", 1<<20)
	for name, token := range map[string]string{
		"forged":           bad,
		"forged, long":     b64(plainHeader) + "." + huge[:maxAttestation-200] + bad[strings.LastIndexByte(bad, '.'):],
		"1 MiB":            huge,
		"1 MiB of dots":    strings.Repeat(".", 1<<20),
		"1 MiB header":     huge + ".e30." + bad[len(bad)-43:],
		"1 MiB payload":    b64(plainHeader) + "." + huge + bad[len(bad)-44:],
		"1 MiB signature":  b64(plainHeader) + ".e30." + huge,
		"dots in the cap":  strings.Repeat(".", maxAttestation),
		"unsigned":         b64(plainHeader) + ".e30.",
		"signature of RSA": b64(plainHeader) + ".e30." + huge[:342],
	} {
		_, err := c.VerifyAttestation(token, want)
		require.Error(t, err, name)
		assert.Zerof(t, testing.AllocsPerRun(200, func() {
			if _, err := c.VerifyAttestation(token, want); err == nil {
				t.Error("accepted")
			}
		}), name)
	}
}

// A token that is signed costs what its size costs, and no more.
func TestSignedAttestationsCostNoMoreThanTheirSize(t *testing.T) {
	c := newClient(t)
	pad := maxAttestation * 3 / 4
	for name, payload := range map[string]string{
		"many keys":    "{" + strings.TrimSuffix(strings.Repeat(`"a":1,`, pad/6-40), ",") + "}",
		"deep":         strings.Repeat("[", pad-200),
		"deep objects": strings.Repeat(`{"a":`, (pad-200)/5),
	} {
		token := signed(plainHeader, payload)
		require.LessOrEqual(t, len(token), maxAttestation, name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.VerifyAttestation(token, want)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrMalformed, name)
		assert.Lessf(t, after.TotalAlloc-before.TotalAlloc, uint64(32*maxAttestation), name)
	}
}
