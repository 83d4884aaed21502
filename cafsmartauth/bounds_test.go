package cafsmartauth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// The tests of this file stand on both sides of every limit.

func TestAnAttestationOfExactlyTheGreatestLengthIsRead(t *testing.T) {
	c := newClient(t)
	padded := func(length int) string {
		b, err := json.Marshal(good())
		require.NoError(t, err)
		// Header, full stops and signature have 36, 2 and 43 bytes; of the
		// payload three bytes become four.
		payload := strings.Replace(string(b), "{", `{"pad":"`+strings.Repeat("x", (length-81)*3/4-len(b)-9)+`",`, 1)
		return signed(plainHeader, payload)
	}
	longest := padded(maxAttestation)
	require.Len(t, longest, maxAttestation)
	_, err := c.VerifyAttestation(longest, want)
	require.NoError(t, err)
	tooLong := padded(maxAttestation + 1)
	require.Len(t, tooLong, maxAttestation+1)
	_, err = c.VerifyAttestation(tooLong, want)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "longer than 8 KiB")
}

func TestATokenOfThreePartsHasThreeParts(t *testing.T) {
	c := newClient(t)
	for _, token := range []string{".a.b", "a..b", "a.b", "a..b.c", "a.b..c", "..", ".", "a.b.c.d", "a"} {
		_, err := c.VerifyAttestation(token, want)
		require.ErrorContains(t, err, "not three parts", token)
	}
	_, err := c.VerifyAttestation("a.b.c", want)
	require.ErrorIs(t, err, ErrForged)
}

func TestLimitsOfTheConfiguration(t *testing.T) {
	newClient(t, func(c *Config) { c.CallTTL, c.MaxTTL = time.Minute, time.Minute })
	newClient(t, func(c *Config) { c.CallTTL = minCallTTL })
	newClient(t, func(c *Config) { c.Leeway = maxLeeway })
	newClient(t, func(c *Config) { c.Leeway = 1 })
}

func TestACPFMayHoldEveryDigit(t *testing.T) {
	for _, cpf := range []string{"52998224725", "529.982.247-25", "01234567890", "999.999.999-99"} {
		_, ok := normalise(cpf)
		assert.True(t, ok, cpf)
	}
	// Remainders 1 and 2 lie on both sides of where a check digit becomes 0.
	for _, cpf := range []string{"12300000890", "12300000709", "12300000202"} {
		assert.True(t, checkDigits(cpf), cpf)
	}
}

func TestPositionsAtThePolesAndTheDateLine(t *testing.T) {
	for _, at := range [][2]Number{{"90", "180"}, {"-90", "-180"}, {"90", "-180"}, {"-90", "180"}} {
		_, _, ok := (&Point{Coordinates: at[:]}).LatLng()
		assert.True(t, ok, "%v", at)
	}
	for _, at := range [][2]Number{{"90.01", "0"}, {"-90.01", "0"}, {"0", "180.01"}, {"0", "-180.01"}} {
		_, _, ok := (&Point{Coordinates: at[:]}).LatLng()
		assert.False(t, ok, "%v", at)
	}
}

func TestPhonesOfEightAndFifteenDigits(t *testing.T) {
	for phone, good := range map[string]bool{
		"1234567": false, "12345678": true, "+55 (11) 99999-0000": true, "123456789012345": true, "1234567890123456": false, "02345678": false,
	} {
		_, ok := phoneDigits(phone)
		assert.Equal(t, good, ok, phone)
	}
}

func TestArraysOfExactlyTheGreatestLengthAreRead(t *testing.T) {
	body := func(n int) []byte {
		return []byte(`{"context":{"location":{"location":{"coordinates":[` + strings.Repeat("1,", n-1) + `1]}}}}`)
	}
	a, ok := decodeAuthentication(body(maxItems))
	require.True(t, ok)
	assert.Len(t, a.Context.Location.Location.Coordinates, maxItems)
	_, ok = decodeAuthentication(body(maxItems + 1))
	assert.False(t, ok)
}

func TestSecondsAtTheirLimits(t *testing.T) {
	for value, good := range map[string]bool{"0": false, "1": true, "99999999999": true, "100000000000": false, "-1": false, "1.0": false, `"1"`: false, "": false} {
		at, ok := seconds([]byte(value))
		assert.Equal(t, good, ok, value)
		if good {
			assert.Positive(t, at.Unix())
		}
	}
}

// The walk over an object is handed checked JSON alone, and yet must never read
// past the end of anything.
func TestTheWalkEndsWhereTheBytesEnd(t *testing.T) {
	for _, cut := range []string{"", " ", "{", "{ ", `{"a":1`, `{"a":1 `, `{"a":1,`, `{"a":[1`, `{"a":[1,`, `{"a":tru`, `{"a":{"b":2`} {
		assert.NotPanics(t, func() { members([]byte(cut), func(_, _ []byte) string { return "" }) }, cut)
	}
	assert.Equal(t, 2, space([]byte("  "), 0))
	assert.Equal(t, 2, word([]byte("12"), 0))
	assert.Equal(t, 2, value([]byte("12"), 0))
	assert.Equal(t, 5, value([]byte("[1,2]"), 0))
	assert.Equal(t, 4, quoted([]byte(`"ab"`), 0))
	assert.Equal(t, 6, quoted([]byte(`"a\"b"x`), 0))
	assert.Equal(t, 5, quoted([]byte(`"a\"b`), 0), "a string that never ends")
	for value, want := range map[string]string{`"x"`: "x", `""`: "", `"a\u0062"`: "ab"} {
		s, ok := text([]byte(value))
		assert.True(t, ok, value)
		assert.Equal(t, want, s)
	}
	for _, value := range []string{``, `"`, `x"`, `7`, `null`} {
		_, ok := text([]byte(value))
		assert.False(t, ok, value)
	}
}

func TestNothingIsSignedForLess(t *testing.T) {
	c := newClient(t, func(c *Config) { c.MaxTTL = time.Hour })
	for ttl, good := range map[time.Duration]bool{time.Second: true, time.Hour: true, time.Second - 1: false, time.Hour + 1: false} {
		_, err := c.Mint(testCPF, ttl)
		if good {
			require.NoError(t, err, ttl)
		} else {
			require.ErrorIs(t, err, kyckit.ErrInvalid, ttl)
		}
	}
}
