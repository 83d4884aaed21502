package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// check returns the reason of Check.
func check(body []byte, v any) string {
	reason, _ := Check(body, v)
	return reason
}

func TestCheckAccepts(t *testing.T) {
	for _, body := range []string{
		`{}`, `[]`, `null`, `true`, `"x"`, `0`, `-0.5e+7`, " \t\r\n{\"a\":[1,{\"a\":2}],\"b\":{\"a\":3}} \n",
		`{"a":1,"á":2,"\u0062":3}`, `"\ud83d\ude00"`, `"\/\b\f\n\r\t\"\\"`,
		strings.Repeat("[", 64) + strings.Repeat("]", 64),
		`{"transId":"t","extra":{"deep":[true]}}`,
		`{"labels":{"A":1,"a":2,"\u212aey":3,"key":4,"Key":5}}`, `[[{"A":1,"a":2}]]`, `[{"m":{"A":1,"a":2}}]`,
	} {
		assert.Empty(t, check([]byte(body), nil), body)
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
			require.NotEmpty(t, check([]byte(body), nil))
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
	require.Empty(t, check(build("other"), nil))
	require.Equal(t, duplicateKey, check(build("K"), nil))
	require.Equal(t, duplicateKey, check(build("k"+strings.Repeat("X", 499)), nil))
}

func TestCheckAllocatesNothing(t *testing.T) {
	body := []byte(`{"Type":"NafathVerificationCompleted","TransId":"abc","Status":"COMPLETED","n":[{"a":1},{"a":2}]}`)
	small := []byte(`{"a":{"bc":1},"d":2}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if check(body, nil) != "" || check(small, new(outer)) != "" {
			panic("refused")
		}
	}))
}

// TestRoughKeysShareAHashWhateverTheirCase: also with the end of the document
// close behind.
func TestRoughKeysShareAHashWhateverTheirCase(t *testing.T) {
	seen := map[uint64]string{}
	for _, key := range []string{"", "a", "b", "transId", "transIds", "transIdsX", "notification", "sixteen_letters.", "sixteen_letters.?"} {
		for _, after := range []string{"", ":", ":1}", ":1}        "} {
			hash, end := roughKey([]byte(` "`+key+`"`+after), 1)
			upper, _ := roughKey([]byte(` "`+strings.ToUpper(key)+`"`), 1)
			require.Equal(t, len(key)+3, end, key)
			require.Equal(t, upper, hash, key)
			if other, ok := seen[hash]; ok {
				require.Equal(t, key, other, "a hash that tells too little")
			}
			seen[hash] = key
		}
	}
	for _, none := range []string{"", "x", `"open`, `"open and long`, `"k\u0065y"`, `"kéy"`, "\"k\ney\"", `"long enough \u0065"`, `"long enough é"`} {
		_, end := roughKey([]byte(none), 0)
		require.Equal(t, -1, end, none)
	}
}

// FuzzCheck holds the scanner against encoding/json: it accepts no more,
// and what it refuses without a stated reason of its own encoding/json refuses
// too. No object that it accepts has a key twice.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"A":2}`, `[1,2.5e-3,"\u00e9\ud83d\ude00",null]`, "\"\xff\"", `{"a":{"b":[{}]}}`, `{"k":"\ud800"}`,
		"{\"\u212a\":1,\"k\":2}", `"abcdefg\"hijklmnop"`, strings.Repeat("[", 70), ` {"a" : [ ] , "b" : { } } `, `{"\u0061":1,"a":2}`, `1e999`,
		`{"data":{"id":1,"ID":2},"free":{"a":"1","A":"2"}}`, `[{"List":[{"More":[{"Name":"","name":""}]}]}]`, `{"x":{"identifier_1":{"id":1,"\u212aey":3}}}`,
	} {
		f.Add([]byte(seed))
	}
	read := func(body []byte) *json.Decoder {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // one may be too large for a float64
		return d
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reason, plain := Check(body, nil)
		for _, v := range []any{nil, new(outer), &[]outer{}, &map[string]*outer{}} {
			if got, want := check(body, v), exactly(body, v); got != want {
				t.Fatalf("%T: %q where the scanner alone says %q: %q", v, got, want, body)
			}
			if plain && check(body, v) != "" {
				t.Fatalf("refused for %T: %q", v, body)
			}
		}
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

// exactly is Check without its short cut.
func exactly(body []byte, v any) string {
	if !utf8.Valid(body) {
		return invalidUTF8
	}
	s := scanner{data: body}
	return s.document(nil, targetOf(v))
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
