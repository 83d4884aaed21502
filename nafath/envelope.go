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
	"github.com/kyckit/kyckit/internal/lenient"
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
	StatusCode json.RawMessage `json:"statusCode"`
	Messages   json.RawMessage `json:"messages"`
	Result     json.RawMessage `json:"result"`
	Code       json.RawMessage `json:"code"`
	TransID    json.RawMessage `json:"transId"`
}

// status returns the envelope's own status, 200 when there is none. False means
// that it cannot be read, so that nobody knows whether the call went well.
func (e envelope) status() (code int, ok bool) {
	isText := bytes.HasPrefix(e.StatusCode, []byte(`"`))
	if lenient.IsNull(e.StatusCode) || isText && strings.TrimSpace(lenient.String(e.StatusCode)) == "" {
		return http.StatusOK, true
	}
	n, ok := lenient.Int(e.StatusCode)
	return int(n), ok && n >= math.MinInt32 && n <= math.MaxInt32
}

// decodeStatus reads the answer to a status call. It must not name another
// transaction than the one asked for, beside the status or around it.
func decodeStatus(resp *transport.Response, transID string) (Status, error) {
	var result struct {
		Status  string `json:"status"`
		TransID text   `json:"transId"`
	}
	around, err := decodeEnvelope(resp, &result)
	if err != nil {
		return "", err
	}
	if result.Status == "" {
		return "", resp.Fail(kyckit.ErrDecode, "status is missing", transport.Explanation{})
	}
	for _, named := range []string{string(result.TransID), lenient.ID(around.TransID)} {
		if named != "" && !sameTransID(named, transID) {
			return "", resp.Fail(kyckit.ErrDecode, "the status is that of another transaction", transport.Explanation{})
		}
	}
	return parseStatus(result.Status), nil
}

// decode reads a 2xx answer into out. The envelope must say success too. Only
// the details endpoint answers bare; request and status read "result".
func decode(resp *transport.Response, out any) error {
	_, err := decodeEnvelope(resp, out)
	return err
}

func decodeEnvelope(resp *transport.Response, out any) (env envelope, err error) {
	if len(bytes.TrimSpace(resp.Body)) == 0 {
		return env, resp.Fail(kyckit.ErrDecode, "the answer is empty", transport.Explanation{})
	}
	if err := webhook.DecodeStrict(resp.Body, &env); err != nil {
		return env, resp.Fail(kyckit.ErrDecode, "the answer is not the documented JSON", transport.Explanation{})
	}
	code, ok := env.status()
	if !ok {
		return env, resp.Fail(kyckit.ErrDecode, "statusCode is not the documented JSON", explainEnvelope(resp.StatusCode, env))
	}
	if code < 200 || code > 299 {
		ex := explainEnvelope(code, env)
		if ex.Code == "" {
			ex.Code = strconv.Itoa(code)
		}
		kind := transport.KindOf(code)
		if ex.Kind != nil {
			kind = ex.Kind
		}
		return env, resp.Fail(kind, "the envelope reports a failure", ex)
	}
	result := env.Result
	if _, isDetails := out.(*Details); isDetails && (len(env.TransID) > 0 || len(env.Result) == 0) {
		result = resp.Body
	}
	if len(result) == 0 || bytes.Equal(result, []byte("null")) {
		ex := explainEnvelope(resp.StatusCode, env)
		kind := kyckit.ErrDecode
		if ex.Kind != nil {
			kind = ex.Kind // the code says why there is none
		}
		return env, resp.Fail(kind, "result is missing", ex)
	}
	if err := webhook.DecodeStrict(result, out); err != nil { // keys of this level that differ in case bind to one field too
		return env, resp.Fail(kyckit.ErrDecode, "result is not the documented JSON", transport.Explanation{})
	}
	return env, nil
}

// refused reports that the envelope of a 2xx refuses the token.
func refused(body []byte) bool {
	if !bytes.Contains(body, []byte("401")) { // decoding costs more than looking
		return false
	}
	var env envelope
	if json.Unmarshal(body, &env) != nil {
		return false
	}
	code, ok := env.status()
	return ok && code == http.StatusUnauthorized
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
		// Beside any other status the code is quoted, not meant: a failing
		// provider, a limit or a refused token says nothing about a transaction.
		switch status {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
			ex.Kind = kyckit.ErrNotFound
		}
	}
	return ex
}
