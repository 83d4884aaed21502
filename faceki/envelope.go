package faceki

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

// envelope is what surrounds every answer. FACEKI has four, told apart by their
// keys, never by the path:
//
//	A  {responseCode, data, url}                     success: 0
//	B  {status, code, message, appVersion, result}   success: true and 200
//	C  {status, message, statusCode, data}           never a success
//	D  {errors: [{message}]}                         never a success
type envelope struct {
	success bool
	// code is the failing code, if there is one.
	code    int64
	hasCode bool
	message string
	// payload is result or data, url the link of envelope A; raw and unread.
	payload json.RawMessage
	url     json.RawMessage
}

// parseEnvelope reads any of the four. False means that body is none of them.
func parseEnvelope(body []byte) (envelope, bool) {
	keys, ok := members(body)
	if !ok {
		return envelope{}, false
	}
	errs := keys["errors"]
	_, isA := keys["responseCode"]
	_, hasB := keys["code"]
	_, isC := keys["statusCode"]
	status, hasStatus := keys["status"]
	// A webhook has a status too, but as a word.
	isB := hasB || hasStatus && (isLiteral(status, "true") || isLiteral(status, "false"))
	isD := len(errs) > 2 && errs[0] == '['
	if !isA && !isB && !isC && !isD {
		return envelope{}, false
	}

	e := envelope{success: !isC && !isD, message: lenient.Text(keys["message"]), url: keys["url"]}
	for _, key := range []string{"code", "responseCode", "statusCode"} {
		n, ok := lenient.Int(keys[key])
		if ok && n != codeSuccess && n != codeOK && !e.hasCode {
			e.code, e.hasCode = n, true
		}
		switch key {
		case "code":
			if isB && (!ok || n != codeOK || !isLiteral(status, "true")) {
				e.success = false
			}
		case "responseCode":
			if isA && (!ok || n != codeSuccess) {
				e.success = false
			}
		}
	}
	if e.message == "" && isD {
		e.message = firstMessage(errs)
	}
	e.payload = keys["result"]
	if e.payload == nil {
		e.payload = keys["data"]
	}
	return e, true
}

// members returns the members of a JSON object. A key that occurs twice is
// refused: which one counts decides who passes.
func members(object []byte) (map[string]json.RawMessage, bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(object, &keys) != nil || keys == nil {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	_, err := dec.Token() // the opening brace
	n := 0
	for ; err == nil && dec.More(); n++ {
		var value json.RawMessage
		if _, err = dec.Token(); err == nil {
			err = dec.Decode(&value)
		}
	}
	return keys, err == nil && n == len(keys)
}

func firstMessage(errs json.RawMessage) string {
	var list []struct {
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(errs, &list) != nil || len(list) == 0 {
		return ""
	}
	return lenient.Text(list[0].Message)
}

// explanation is the part of a failing envelope that an error keeps.
func (e envelope) explanation() transport.Explanation {
	ex := transport.Explanation{Message: e.message}
	if e.hasCode {
		ex.Code = strconv.FormatInt(e.code, 10)
	}
	return ex
}

// explain reads the body of an answer outside 2xx. A code that is known says
// more than the HTTP status, save where the status is about the caller.
func explain(status int, body []byte) transport.Explanation {
	e, ok := parseEnvelope(body)
	if !ok {
		return transport.Explanation{}
	}
	ex := e.explanation()
	switch status {
	case 401, 403, 413, 429:
	default:
		if e.hasCode {
			ex.Kind = meaningOf(e.code).kind
		}
	}
	return ex
}

// failure returns the kind and the reason of an envelope that is no success.
func (e envelope) failure() (reason string, kind error) {
	if !e.hasCode {
		return "the answer is neither a success nor a failure with a code", kyckit.ErrDecode
	}
	m := meaningOf(e.code)
	return m.reason, m.kindOr(kyckit.ErrInvalid)
}

func isLiteral(raw json.RawMessage, want string) bool { return string(bytes.TrimSpace(raw)) == want }
