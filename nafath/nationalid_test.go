package nafath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestPitfall5NationalID(t *testing.T) {
	def, err := NationalIDRule{}.validate()
	require.NoError(t, err)
	for in, want := range map[string]string{
		"1000000008": "1000000008", "2000000006": "2000000006", "1000000000": "1000000000",
		" 1000-000 008 ": "1000000008",
		"١٠٠٠٠٠٠٠٠٨":     "1000000008",
		"۲۰۰۰۰۰۰۰۰۶":     "2000000006",
		"١٢٣٤٥٦٧٨٩٠":     "1234567890",
		"۱۲۳۴۵۶۷۸۹۰":     "1234567890",
		"\u202a\u202b\u202c\u202d\u202e1000000008\u2066\u2067\u2068\u2069": "1000000008",
		"1000000008\u2065": "", "1000000008\u206a": "",
		"\u202a1000000008\u202c": "1000000008",
		"\u200f1000000008":       "1000000008",
		"1000\u00a0000\u2013008": "1000000008",
		"1000\u2009000\u2212008": "1000000008",
		"1000000\u200b008\u2060": "1000000008",
		"":                       "", "3000000000": "", "100000000": "", "10000000080": "", "100000000a": "", "१००००००००८": "",
		"1000.000.008": "", "+1000000008": "", "1000000008\x00": "", "\xff1000000008": "",
		strings.Repeat("1", 1<<20): "", strings.Repeat(" ", 1000) + "1000000008": "1000000008",
	} {
		got, ok := def.normalise(in)
		assert.Equal(t, want != "", ok, "%.40q", in)
		assert.Equal(t, want, got, "%.40q", in)
	}
	strict := NationalIDRule{Prefixes: "12", Luhn: true}
	for in, want := range map[string]bool{"1000000008": true, "2000000006": true, "1000000000": false, "1000000080": false} {
		_, ok := strict.normalise(in)
		assert.Equal(t, want, ok, in)
	}
	visitor := NationalIDRule{Prefixes: "123456"}
	_, ok := visitor.normalise("5000000000")
	assert.True(t, ok)
}

func TestUUIDsAreFolded(t *testing.T) {
	const digits = "01234567-89ab-cdef-abcd-ef0123456789"
	assert.Equal(t, digits, foldTransID(strings.ToUpper(digits)))
	assert.Equal(t, digits, foldTransID(digits[:18]+strings.ToUpper(digits[18:])), "either case")
	for _, other := range []string{"", "ABC", "A" + digits, strings.ToUpper(digits) + "-"} {
		assert.Equal(t, other, foldTransID(other))
	}
	for _, c := range "/:@G`g" { // beside the digits of either case
		other := strings.ToUpper(digits[:35]) + string(c)
		assert.Equal(t, other, foldTransID(other))
	}
	hyphens := strings.ToUpper(strings.ReplaceAll(digits, "-", "0"))
	assert.Equal(t, hyphens, foldTransID(hyphens))
}

func TestMessagesMayBeATextOrAList(t *testing.T) {
	for messages, want := range map[string]string{`"one"`: "one", `["one","two"]`: "one; two", `7`: "", `null`: ""} {
		assert.Equal(t, want, explain(400, []byte(`{"statusCode":400,"messages":`+messages+`}`)).Message, messages)
	}
}

// Spellings of one id are one person to a limiter.
func TestNormalise(t *testing.T) {
	for _, spelling := range []string{
		"1000000008", " 1000000008", "1000-000-008", "1000 000 008", "١٠٠٠٠٠٠٠٠٨", "۱۰۰۰۰۰۰۰۰۸", "\u202a1000000008\u202c", "1000\u00a0000\u2013008", "\ufeff1000000008",
	} {
		id, err := Normalise(spelling)
		require.NoError(t, err, "%q", spelling)
		assert.Equal(t, "1000000008", id)
	}
	for _, bad := range []string{"", "5000000000", "100000000", "10000000080", "100000000a"} {
		id, err := Normalise(bad)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.Empty(t, id)
		if bad != "" {
			assert.NotContains(t, err.Error(), bad)
		}
	}
}

func FuzzNationalID(f *testing.F) {
	for _, s := range []string{"1000000008", "١٠٠٠٠٠٠٠٠٨", " 1-0", "\xff", ""} {
		f.Add(s)
	}
	rule, err := NationalIDRule{}.validate()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := rule.normalise(s)
		if !ok {
			return
		}
		if len(id) != 10 || strings.Trim(id, "0123456789") != "" || id[0] != '1' && id[0] != '2' {
			t.Fatalf("%q", id)
		}
		if again, ok := rule.normalise(id); !ok || again != id {
			t.Fatal("not stable")
		}
	})
}
