package lenient_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/kyckit/kyckit/internal/lenient"
)

func TestScalarsInEveryForm(t *testing.T) {
	for raw, want := range map[string]struct{ str, text, id string }{
		``:                       {},
		`null`:                   {},
		`true`:                   {},
		`{"a":1}`:                {},
		`["x"]`:                  {},
		`""`:                     {},
		`"07"`:                   {"07", "07", "07"},
		` "x" `:                  {"x", "x", "x"},
		`"a\u00e9\n"`:            {"aé\n", "aé\n", "aé\n"},
		`"نورة"`:                 {"نورة", "نورة", "نورة"},
		`"-3"`:                   {"-3", "-3", "-3"},
		`7`:                      {"", "7", "7"},
		`7.0`:                    {"", "7.0", "7"},
		`7e1`:                    {"", "7e1", "70"},
		`-3`:                     {"", "-3", ""},
		`-0.0`:                   {"", "-0.0", ""},
		`1.5`:                    {"", "1.5", ""},
		`1e400`:                  {"", "1e400", ""},
		`12345678901234567890`:   {"", "12345678901234567890", "12345678901234567890"},
		`12345678901234567890.0`: {"", "12345678901234567890.0", ""},
	} {
		assert.Equal(t, want.str, lenient.String([]byte(raw)), "String(%s)", raw)
		assert.Equal(t, want.text, lenient.Text([]byte(raw)), "Text(%s)", raw)
		assert.Equal(t, want.id, lenient.ID([]byte(raw)), "ID(%s)", raw)
	}
}

func TestNumbersInEveryForm(t *testing.T) {
	for raw, want := range map[string]int64{
		`304`: 304, `304.0`: 304, `3.04e2`: 304, `"304"`: 304, `" 304 "`: 304, `"304.0"`: 304, `-7`: -7, `0`: 0,
		`9223372036854775807`: math.MaxInt64,
	} {
		n, ok := lenient.Int([]byte(raw))
		assert.True(t, ok, raw)
		assert.Equal(t, want, n, raw)
	}
	for _, raw := range []string{``, `null`, `""`, `"SAU"`, `1.5`, `1e300`, `true`, `{}`, `[1]`, `"NaN"`, `"Inf"`, `9007199254740994.0`, `92233720368547758070`} {
		_, ok := lenient.Int([]byte(raw))
		assert.False(t, ok, raw)
	}
	for raw, want := range map[string]float64{`99.5`: 99.5, `"99.5"`: 99.5, `1e3`: 1000, `-0.25`: -0.25} {
		f, ok := lenient.Float([]byte(raw))
		assert.True(t, ok, raw)
		assert.InDelta(t, want, f, 0, raw)
	}
	for _, raw := range []string{``, `null`, `"NaN"`, `"+Inf"`, `1e400`, `true`, `"x"`, `{}`} {
		_, ok := lenient.Float([]byte(raw))
		assert.False(t, ok, raw)
	}
}

func TestBooleansAndTimes(t *testing.T) {
	for raw, want := range map[string][2]bool{
		`true`: {true, true}, `false`: {false, true}, `"true"`: {true, true}, `"false"`: {false, true},
		``: {}, `null`: {}, `1`: {}, `"yes"`: {}, `"TRUE"`: {}, `{}`: {},
	} {
		value, ok := lenient.Bool([]byte(raw))
		assert.Equal(t, want, [2]bool{value, ok}, raw)
	}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, raw := range []string{
		`"2026-03-04T12:00:00Z"`, `"2026-03-04T15:00:00.000+03:00"`, `"2026-03-04T15:00:00+0300"`, `" 2026-03-04T12:00:00.0 "`,
	} {
		assert.WithinDuration(t, noon, lenient.Time([]byte(raw)), 0, raw)
	}
	assert.Equal(t, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), lenient.Time([]byte(`"2026-03-04"`)))
	for _, raw := range []string{``, `null`, `1772625600`, `"04-03-2026"`, `"soon"`, `{}`} {
		assert.True(t, lenient.Time([]byte(raw)).IsZero(), raw)
	}
	assert.True(t, lenient.IsNull(nil))
	assert.True(t, lenient.IsNull([]byte(" null ")))
	assert.False(t, lenient.IsNull([]byte(`""`)))
}

// FuzzScalars compares with encoding/json: a text is what a JSON reader sees,
// and the other readings follow from the text.
func FuzzScalars(f *testing.F) {
	for _, seed := range []string{`"07"`, `7.0`, `-0`, `1e5`, `"a\u0041\ud83d\ude00"`, `"\ud800"`, `null`, `true`, `{}`, `[]`, `"2026-03-04"`, "\"\xff\"", `" 1 "`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) { // callers hand over valid values; others must not panic
			_, _, _ = lenient.ID(raw), lenient.Text(raw), lenient.Time(raw)
			return
		}
		var s string
		isString := json.Unmarshal(raw, &s) == nil && !lenient.IsNull(raw)
		if got := lenient.String(raw); isString && got != s || !isString && got != "" {
			t.Fatalf("String(%q) = %q, encoding/json reads %q", raw, got, s)
		}
		if got := lenient.String(raw); !utf8.ValidString(got) {
			t.Fatalf("String(%q) is not UTF-8", raw)
		}
		if n, ok := lenient.Int(raw); ok {
			if f, ok := lenient.Float(raw); !ok || math.Abs(f-float64(n)) > 1024 {
				t.Fatalf("Int(%q) = %d, Float %v", raw, n, f)
			}
		}
		if id := lenient.ID(raw); !isString && id != "" && (id[0] == '-' || !json.Valid([]byte(id))) {
			t.Fatalf("ID(%q) = %q", raw, id)
		}
	})
}
