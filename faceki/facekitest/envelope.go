package facekitest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/kyckit/kyckit/kyctest"
)

// envelopeB is the envelope of the v3 calls.
func envelopeB(code int, message string, result any) map[string]any {
	return map[string]any{
		"status": code == 200, "code": code, "message": message, "appVersion": "v3.0.0", "result": result,
	}
}

// envelopeC is the envelope of the validation of the token call.
func envelopeC(code int, message string) map[string]any {
	return map[string]any{"status": false, "message": message, "statusCode": code, "data": map[string]any{}}
}

// Refusal is a failing code in the envelope of the v3 calls, inside a 200 as
// FACEKI does it. The message is the code's documented name.
func Refusal(code int) kyctest.Fault { return RefusalWith(code, nil) }

// RefusalWith is a Refusal with something in its result, whose type varies on
// failures.
func RefusalWith(code int, result any) kyctest.Fault {
	return fault(http.StatusOK, envelopeB(code, codeName(code), result))
}

// RefusalStatus is a Refusal with another HTTP status.
func RefusalStatus(status, code int) kyctest.Fault {
	return fault(status, envelopeB(code, codeName(code), nil))
}

// LinkRefusal is a failing code in the envelope of the link and token calls,
// inside a 200.
func LinkRefusal(code int) kyctest.Fault {
	return fault(http.StatusOK, map[string]any{"responseCode": code, "data": nil, "message": codeName(code)})
}

// Validation is the envelope that the token call answers invalid input with.
func Validation(message string) kyctest.Fault {
	return fault(http.StatusUnprocessableEntity, envelopeC(http.StatusUnprocessableEntity, message))
}

// Errors is the fourth envelope, which FACEKI's iOS SDK expects on statuses
// outside 2xx.
func Errors(status int, message string) kyctest.Fault {
	return fault(status, map[string]any{"errors": []any{map[string]any{"message": message}}})
}

// HTML is a page of a proxy in front of FACEKI; with 413 it is what too large an
// image gets.
func HTML(status int) kyctest.Fault {
	return kyctest.Fault{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   page(status),
	}
}

func page(status int) string {
	return "<html><head><title>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</title></head><body></body></html>"
}

func fault(status int, body any) kyctest.Fault {
	b, err := json.Marshal(body)
	if err != nil {
		b = []byte(strconv.Quote(err.Error()))
	}
	return kyctest.Fault{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(b)}
}

// Codes are the codes that FACEKI's documentation and SDKs name, success aside.
func Codes() []int {
	return []int{
		1, 400, 422, 500, 1000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 5010, 5011, 7001,
		8001, 8002, 8003, 8004, 8005, 8006, 8007, 8008, 8009, 8010, 8011, 8012, 8013, 8014, 8015, 8016, 8017, 8018, 8019,
	}
}

func codeName(code int) string {
	switch code {
	case 1:
		return "UNAUTHORIZED"
	case 400:
		return "BAD_REQUEST"
	case 500, 1000:
		return "INTERNAL_SYSTEM_ERROR"
	case 5001:
		return "WORKFLOW_RULES_MISSING"
	case 5002:
		return "INVALID_MISSING_REQUEST_FIELDS"
	case 5003:
		return "NOT_ENOUGH_WALLET_CREDIT"
	case 5004:
		return "SELFIE_LIVENESS_FAILED"
	case 5005:
		return "DOCUMENT_FACE_MATCH_FAILED"
	case 5006:
		return "REQUIRED_DOCUMENT_MISSING"
	case 5007:
		return "MISMATCH_AS_PER_RULES"
	case 5008:
		return "KYC_FAILED"
	case 5009:
		return "LINK_LIMIT_REACH"
	case 5010:
		return "EXPIRED_DOCUMENT"
	case 8001:
		return "NEED_REQUIRED_IMAGES"
	case 8004:
		return "FACE_CROPPED"
	case 8013:
		return "DATA_NOT_FOUND"
	default:
		return "CODE_" + strconv.Itoa(code)
	}
}
