package lenient_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/internal/lenient"
)

func TestObjectLeavesOtherFormsEmpty(t *testing.T) {
	var got struct {
		ID    string   `json:"id"`
		Count int      `json:"count"`
		Tags  []string `json:"tags"`
		Inner struct {
			On   bool   `json:"on"`
			Name string `json:"name"`
		} `json:"inner"`
	}
	require.NoError(t, lenient.Object([]byte(` {"count":"7","tags":{"a":1},"inner":{"on":"yes","name":"n"},"id":"x"}`), &got))
	assert.Equal(t, "x", got.ID)
	assert.Zero(t, got.Count)
	assert.Empty(t, got.Tags)
	assert.False(t, got.Inner.On)
	assert.Equal(t, "n", got.Inner.Name)
	for _, bad := range []string{``, `7`, `"x"`, `[]`, `{"id":`, `{"id":"x"}x`} {
		assert.Error(t, lenient.Object([]byte(bad), &got), bad)
	}
}

func TestItems(t *testing.T) {
	for raw, want := range map[string][2]int{
		``: {1, 0}, `7`: {1, 0}, `"a,b"`: {1, 0}, `{}`: {1, 0}, `[]`: {0, 0}, ` [ ] `: {0, 0}, `[1]`: {1, 1}, `[1,2,3]`: {3, 3},
		`[[1,2],[3]]`: {2, 2}, `[[],[],[]]`: {3, 3}, `{"a":[1,2,3,4],"b":[5]}`: {1, 4}, `[{"a":1,"b":2,"c":3}]`: {1, 1},
		`["a,b","\\",",\"]["]`: {3, 3}, `[{"a":[{"b":[1,2,3,4,5]}]},2]`: {2, 5}, `[null,true]`: {2, 2},
		strings.Repeat("[", 500) + "1,2" + strings.Repeat("]", 500): {1, 2},
	} {
		own, longest := lenient.Items([]byte(raw))
		assert.Equal(t, want, [2]int{own, longest}, "%.60s", raw)
	}
}

// FuzzItems compares with the tokens of encoding/json.
func FuzzItems(f *testing.F) {
	for _, seed := range []string{`[1,[2,3],{"a":[4,5,6]}]`, `{"a":"[,]","a":[{},[]]}`, `["\"",",",[]]`, `[`, `]`, `}`, `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		own, longest := lenient.Items(raw)
		if !json.Valid(raw) {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		wantOwn, wantLongest := itemsOf(dec)
		if own != wantOwn || longest != wantLongest {
			t.Fatalf("%q: %d %d, want %d %d", raw, own, longest, wantOwn, wantLongest)
		}
	})
}

// itemsOf reads one value, keys and values of an object alike.
func itemsOf(dec *json.Decoder) (own, longest int) {
	token, _ := dec.Token()
	array := token == json.Delim('[')
	if !array && token != json.Delim('{') {
		return 1, 0
	}
	for dec.More() {
		own++
		_, n := itemsOf(dec)
		longest = max(longest, n)
	}
	_, _ = dec.Token() // the end
	if !array {
		return 1, longest
	}
	return own, max(longest, own)
}
