package nafath

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/webhook"
)

// Codes of the upstream service that the intermediary may pass through in its
// messages. None of them is documented by it.
const (
	codeOpenTransaction = "400-034-050" // the person has an open transaction
	codeExpired         = "400-034-051" // the transaction expired
	codeUnknown         = "400-034-053" // no such transaction, or another environment
)

// envelope is what request and status answer with, and what failures and some
// details answers are wrapped in.
type envelope struct {
	StatusCode integer         `json:"statusCode"`
	Messages   json.RawMessage `json:"messages"`
	Result     json.RawMessage `json:"result"`
	Code       json.RawMessage `json:"code"`
	TransID    json.RawMessage `json:"transId"`
}

// decode reads a 2xx answer into out. The envelope must say success too. Only
// the details endpoint answers bare; request and status read "result".
func decode(resp *transport.Response, out any) error {
	if len(bytes.TrimSpace(resp.Body)) == 0 {
		return resp.Fail(kyckit.ErrDecode, "the answer is empty", transport.Explanation{})
	}
	var env envelope
	if err := webhook.DecodeStrict(resp.Body, &env); err != nil {
		return resp.Fail(kyckit.ErrDecode, "the answer is not the documented JSON", transport.Explanation{})
	}
	if code := env.StatusCode.value; code != nil && (*code < 200 || *code > 299) {
		ex := explainEnvelope(*code, env)
		if ex.Code == "" {
			ex.Code = strconv.Itoa(*code)
		}
		kind := transport.KindOf(*code)
		if ex.Kind != nil {
			kind = ex.Kind
		}
		return resp.Fail(kind, "the envelope reports a failure", ex)
	}
	result := env.Result
	if _, isDetails := out.(*Details); isDetails && (len(env.TransID) > 0 || len(env.Result) == 0) {
		result = resp.Body
	}
	if len(result) == 0 || bytes.Equal(result, []byte("null")) {
		return resp.Fail(kyckit.ErrDecode, "result is missing", explainEnvelope(resp.StatusCode, env))
	}
	if err := json.Unmarshal(result, out); err != nil {
		return resp.Fail(kyckit.ErrDecode, "result is not the documented JSON", transport.Explanation{})
	}
	return nil
}

// explain reads the body of an answer outside 2xx.
func explain(status int, body []byte) transport.Explanation {
	var env envelope
	if json.Unmarshal(body, &env) != nil {
		return transport.Explanation{}
	}
	return explainEnvelope(status, env)
}

var upstreamCode = regexp.MustCompile(`\b[0-9]{3}-[0-9]{3}-[0-9]{3}\b`)

func explainEnvelope(status int, env envelope) transport.Explanation {
	var ex transport.Explanation
	var list []string
	var single string
	if json.Unmarshal(env.Messages, &list) == nil {
		ex.Message = strings.Join(list, "; ")
	} else if json.Unmarshal(env.Messages, &single) == nil {
		ex.Message = single
	}
	ex.Code = upstreamCode.FindString(ex.Message)
	if ex.Code == "" {
		ex.Code = upstreamCode.FindString(string(env.Code))
	}
	switch ex.Code {
	case codeOpenTransaction:
		ex.Kind = kyckit.ErrConflict
	case codeExpired, codeUnknown:
		if status < http.StatusInternalServerError { // a failing provider may have done what it was asked all the same
			ex.Kind = kyckit.ErrNotFound
		}
	}
	return ex
}

// text reads a JSON string, or a number as it is written: ids and codes are
// opaque, and one that looks like a number keeps its leading zeros only as a
// string.
type text string

// UnmarshalJSON accepts a string, a number or null.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
		return nil
	}
	if bytes.Equal(b, []byte("null")) {
		*t = ""
		return nil
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return errWrongType
		}
	}
	*t = text(b)
	return nil
}

// integer reads a JSON number, a string that holds one, or null. An empty
// string is as good as null.
type integer struct{ value *int }

// UnmarshalJSON accepts a whole number, also written as 304.0 or as a string.
func (i *integer) UnmarshalJSON(b []byte) error {
	i.value = nil
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	if s == "" || s == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return errWrongType
	}
	n := int(f)
	i.value = &n
	return nil
}
