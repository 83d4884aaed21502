package strictjson

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type inner struct {
	ID   string `json:"id"`
	More []struct{ Name string }
}

type embedded struct{ Promoted *inner }

type outer struct {
	embedded
	*outer        //nolint:unused // a struct that embeds itself must not be followed for ever
	Data    inner `json:"data"`
	List    []*inner
	ByName  map[string]inner
	Free    map[string]string `json:"free"`
	Any     any
	Raw     json.RawMessage
	Hidden  inner `json:"-"`
	At      time.Time
	Skipped []byte
}

// TestCheckComparesByCaseWhatGoConfuses: the same keys are refused where they
// are bound to the fields of a struct, and kept where a map can hold both.
func TestCheckComparesByCaseWhatGoConfuses(t *testing.T) {
	const twins = `{"id":1,"ID":2}`
	for body, refused := range map[string]bool{
		`{"data":` + twins + `}`:                     true,
		`{"DATA":` + twins + `}`:                     true,
		`{"d\u0061ta":` + twins + `}`:                true,
		`{"List":[{"id":1},` + twins + `]}`:          true,
		`{"ByName":{"x":` + twins + `}}`:             true,
		`{"ByName":{"x":{},"X":{}}}`:                 false,
		`{"Promoted":` + twins + `}`:                 true,
		`{"data":{"More":[{"Name":"a","name":"b"}]}`: true, // no JSON either
		`{"data":{"more":[{"Name":"a","name":""}]}}`: true,
		`{"free":{"a":"1","A":"2"},"data":{}}`:       false,
		`{"Any":` + twins + `}`:                      false,
		`{"Raw":` + twins + `}`:                      false,
		`{"Hidden":` + twins + `}`:                   false,
		`{"-":` + twins + `}`:                        false,
		`{"unknown":` + twins + `}`:                  false,
		`{"data":[` + twins + `]}`:                   false, // no struct of Data's
		`{"At":"2026-01-01T00:00:00Z"}`:              false,
	} {
		assert.Equal(t, refused, Check([]byte(body), new(outer)) != "", body)
		assert.Equal(t, refused, Check([]byte("["+body+"]"), &[]outer{}) != "", "in a list: %s", body)
		assert.Equal(t, refused, Check([]byte(`{"k":`+body+`}`), &map[string]*outer{}) != "", "in a map: %s", body)
	}
	assert.NotEmpty(t, Check([]byte(`[[`+twins+`]]`), &[][]inner{}))
	assert.Empty(t, Check([]byte(`[[`+twins+`]]`), nil))
}

func TestNested(t *testing.T) {
	for _, v := range []any{nil, new(any), new(string), new([]byte), &struct {
		ID  string
		Raw json.RawMessage
		Any any
	}{}, &[]struct{ ID int }{}, map[string]string{}} {
		assert.False(t, Nested(v) && Check([]byte(`{"x":{"id":1,"ID":2}}`), v) != "", "%T", v)
	}
	assert.False(t, Nested(&struct{ ID string }{}), "events without structs inside are not scanned twice")
	assert.False(t, Nested(&[]struct{ ID []string }{}))
	assert.False(t, Nested(&map[string]json.RawMessage{}), "that is how webhook.FieldKey reads")
	assert.False(t, Nested(&struct{ Labels map[string]string }{}))
	assert.True(t, Nested(new(outer)))
	assert.True(t, Nested(&map[string]inner{}))
}
