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
		assert.Equal(t, refused, check([]byte(body), new(outer)) != "", body)
		assert.Equal(t, refused, check([]byte("["+body+"]"), &[]outer{}) != "", "in a list: %s", body)
		assert.Equal(t, refused, check([]byte(`{"k":`+body+`}`), &map[string]*outer{}) != "", "in a map: %s", body)
	}
	assert.NotEmpty(t, check([]byte(`[[`+twins+`]]`), &[][]inner{}))
	assert.Empty(t, check([]byte(`[[`+twins+`]]`), nil))
}

// TestCheckSaysWhatHoldsForEveryTarget: a body that has nothing alike is checked
// once, whatever it is decoded into.
func TestCheckSaysWhatHoldsForEveryTarget(t *testing.T) {
	for body, want := range map[string]bool{
		`{"data":{"id":1,"idx":2},"more":[{"id":1},{"ID":2}]}`:      true,
		` { "a" : [ ] , "b" : { } , "c" : [ 1 , "\u0645" , {} ] } `: true,
		`{"a":{"b":1,"c":{"d":1}},"d":1}`:                           true,
		`{"free":{"a":"1","A":"2"}}`:                                false,
		`{"free":{"key":"1","\u212aey":"2"}}`:                       false,
		`{"free":{"key":"1","KE\u0059":"2"}}`:                       false,
		`{"free":{"identifier":"1","identifieR":"2"}}`:              false,
		`{"a":{"b":1},"c":{"d":1},"A":1}`:                           false,
		`{"a":1,"a":2}`:                                             false,
		`{"a":1`:                                                    false,
		`[1}`:                                                       false,
		`{"a":1]`:                                                   false,
		`[1,]`:                                                      false,
		`{,}`:                                                       false,
	} {
		_, plain := Check([]byte(body), nil)
		assert.Equal(t, want, plain, body)
	}
}
