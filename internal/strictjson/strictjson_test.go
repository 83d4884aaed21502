package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckAccepts(t *testing.T) {
	for _, body := range []string{
		`{}`, `[]`, `null`, `true`, `"x"`, `0`, `-0.5e+7`, " \t\r\n{\"a\":[1,{\"a\":2}],\"b\":{\"a\":3}} \n",
		`{"a":1,"á":2,"\u0062":3}`, `"\ud83d\ude00"`, `"\/\b\f\n\r\t\"\\"`,
		strings.Repeat("[", 64) + strings.Repeat("]", 64),
		`{"transId":"t","extra":{"deep":[true]}}`,
		`{"labels":{"A":1,"a":2,"\u212aey":3,"key":4,"Key":5}}`, `[[{"A":1,"a":2}]]`, `[{"m":{"A":1,"a":2}}]`,
	} {
		assert.Empty(t, Check([]byte(body), nil), body)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                          ``,
		"two values":                     `{} {}`,
		"trailing text":                  `{}x`,
		"same key":                       `{"a":1,"a":2}`,
		"same key in other case":         `{"TransId":1,"transId":2}`,
		"same key by escape":             `{"id":1,"\u0049D":2}`,
		"Kelvin sign":                    `{"key":1,"\u212Aey":2}`,
		"Kelvin sign raw":                "{\"\u212aey\":1,\"KEY\":2}",
		"long s":                         "{\"status\":1,\"\u017ftatus\":2}",
		"same key nested":                `{"x":[{"y":{"a":1,"b":2,"a":1}}]}`,
		"same key nested by escape":      `{"x":{"id":1,"\u0069d":2}}`,
		"other case in a list":           `[{"a":1},{"a":1,"A":2}]`,
		"same key after an inner object": `{"a":{"b":1},"A":2}`,
		"invalid UTF-8":                  "{\"a\":\"\xff\"}",
		"invalid UTF-8 outside":          "{}\xff",
		"lone high surrogate":            `"\ud800"`,
		"lone low surrogate":             `"\udc00"`,
		"two high surrogates":            `"\ud800\ud800"`,
		"too deep":                       strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"far too deep":                   strings.Repeat(`{"a":`, 1<<16),
		"byte order mark":                "\ufeff{}",
		"leading zero":                   `01`,
		"bare minus":                     `-`,
		"open string":                    `"abcdefghijkl`,
		"control character":              "\"abcdefgh\x1f\"",
		"bad escape":                     `"\x"`,
		"short escape":                   `"\u12"`,
		"trailing comma":                 `[1,]`,
		"no colon":                       `{"a" 1}`,
		"single quotes":                  `{'a':1}`,
		"comment":                        `{}//`,
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, Check([]byte(body), nil))
		})
	}
}

func TestCheckManyKeys(t *testing.T) {
	build := func(last string) []byte {
		var b bytes.Buffer
		b.WriteByte('{')
		for i := range 500 {
			b.WriteString(`"k` + strings.Repeat("x", i) + `":1,`)
		}
		b.WriteString(`"` + last + `":1}`)
		return b.Bytes()
	}
	require.Empty(t, Check(build("other"), nil))
	require.Equal(t, duplicateKey, Check(build("K"), nil))
	require.Equal(t, duplicateKey, Check(build("k"+strings.Repeat("X", 499)), nil))
}

func TestCheckAllocatesNothing(t *testing.T) {
	body := []byte(`{"Type":"NafathVerificationCompleted","TransId":"abc","Status":"COMPLETED","n":[{"a":1},{"a":2}]}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if Check(body, nil) != "" {
			panic("refused")
		}
	}))
}

func TestHashKeyFoldsASCII(t *testing.T) {
	for a := range 128 {
		for b := range 128 {
			for _, around := range []string{"", "abcdefg", "abcdefghij"} {
				x, y := around+string(rune(a))+"z", around+string(rune(b))+"Z"
				if a == '\\' || b == '\\' {
					continue
				}
				if got, want := hashKey([]byte(x), false, true) == hashKey([]byte(y), false, true), strings.EqualFold(x, y); got != want {
					t.Fatalf("%q and %q: %v", x, y, got)
				}
			}
		}
	}
}

// FuzzCheck holds the scanner against encoding/json: it accepts no more,
// and what it refuses without a stated reason of its own encoding/json refuses
// too. No object that it accepts has a key twice.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"A":2}`, `[1,2.5e-3,"\u00e9\ud83d\ude00",null]`, "\"\xff\"", `{"a":{"b":[{}]}}`, `{"k":"\ud800"}`,
		"{\"\u212a\":1,\"k\":2}", `"abcdefg\"hijklmnop"`, strings.Repeat("[", 70), ` {"a" : [ ] , "b" : { } } `, `{"\u0061":1,"a":2}`, `1e999`,
	} {
		f.Add([]byte(seed))
	}
	read := func(body []byte) *json.Decoder {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // one may be too large for a float64
		return d
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reason := Check(body, nil)
		if reason == "" {
			if !json.Valid(body) {
				t.Fatalf("accepted what encoding/json refuses: %q", body)
			}
			if twice(t, read(body), 0, false) {
				t.Fatalf("accepted a repeated key: %q", body)
			}
			return
		}
		if reason == duplicateKey && json.Valid(body) && !twice(t, read(body), 0, false) {
			t.Fatalf("refused without a repeated key: %q", body)
		}
		if slices.Contains([]string{invalidUTF8, duplicateKey, tooDeep, surrogate}, reason) {
			return
		}
		if json.Valid(body) {
			t.Fatalf("%s: refused what encoding/json accepts: %q", reason, body)
		}
	})
}

// twice reads the next value and reports whether an object in it has two keys
// that are equal, or in an outermost object two that strings.EqualFold holds
// equal. An outermost list has outermost objects.
func twice(t *testing.T, d *json.Decoder, depth int, list bool) bool {
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	delim, nested := tok.(json.Delim)
	if !nested {
		return false
	}
	list = list || depth == 0 && delim == '['
	outermost := depth == 0 || depth == 1 && list
	var keys []string
	for d.More() {
		if delim == '{' {
			k, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range keys {
				if other == k.(string) || outermost && strings.EqualFold(other, k.(string)) {
					return true
				}
			}
			keys = append(keys, k.(string))
		}
		if twice(t, d, depth+1, list) {
			return true
		}
	}
	_, err = d.Token()
	return err != nil
}
