package cafsmartauth

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kyckit/kyckit/webhook"
)

// documentedHeader is {"alg":"HS256","typ":"JWT"} in base64url. A token with
// exactly this header is not parsed for checkHeader: the answer is known.
const documentedHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// checkHeader is the strict pass over the header of a token whose MAC is right.
// Parameters nobody knows are ignored, as the JWT standard demands; those that
// change how a token is to be read are refused.
func checkHeader(encoded string) (reason string) {
	header, err := strictBase64.DecodeString(encoded)
	if err != nil || !canonical(encoded) {
		return "the header is not canonical base64url"
	}
	if webhook.DecodeStrict(header, nil) != nil {
		return "the header is not strict JSON"
	}
	alg := false
	reason = members(header, func(key, value []byte) string {
		switch string(key) {
		case "alg":
			if string(value) != `"HS256"` {
				return "names another algorithm than HS256"
			}
			alg = true
		case "typ":
			if s, ok := text(value); !ok || s != "JWT" && s != "jwt" {
				return "names another type than JWT"
			}
		case "crit", "b64", "zip", "enc":
			return "asks for an extension"
		}
		return ""
	})
	switch {
	case reason != "":
		return "the header " + reason
	case !alg:
		return "the header names no algorithm"
	default:
		return ""
	}
}

// errClaims stops the decoder; what is wrong stands in claims.reason.
var errClaims = errors.New("claims refused")

// claims is the payload of an attestation. Decoding it is the strict pass over
// the payload: keys compare exactly and every documented claim that is there
// has its documented type.
type claims struct {
	attemptID, peopleID, policyID string
	isAuthorized                  bool
	isNewContext                  *bool
	exp, iat, nbf                 jwt.NumericDate // the zero time where absent

	decided bool   // isAuthorized was there
	foreign bool   // iss or personId was there
	reason  string // why the payload is refused
}

// UnmarshalJSON implements json.Unmarshaler for golang-jwt's decoder.
func (c *claims) UnmarshalJSON(payload []byte) error {
	if c.reason = c.read(payload); c.reason != "" {
		return errClaims
	}
	return nil
}

func (c *claims) read(payload []byte) (reason string) {
	if webhook.DecodeStrict(payload, nil) != nil {
		return "the claims are not strict JSON"
	}
	if reason := members(payload, c.set); reason != "" {
		return "the payload " + reason
	}
	switch {
	case c.attemptID == "":
		return "the payload has no attemptId"
	case c.peopleID == "":
		return "the payload has no peopleId"
	case c.policyID == "":
		return "the payload has no policyId"
	case !c.decided:
		return "the payload has no isAuthorized"
	case c.exp.IsZero():
		return "the payload has no exp"
	default:
		return ""
	}
}

// set takes one claim.
func (c *claims) set(key, value []byte) (reason string) {
	var ok bool
	switch string(key) {
	case "attemptId":
		if c.attemptID, ok = text(value); !ok || c.attemptID == "" {
			return "has an attemptId that is empty or not a string"
		}
	case "peopleId":
		if c.peopleID, ok = text(value); !ok || c.peopleID == "" {
			return "has a peopleId that is empty or not a string"
		}
	case "policyId":
		if c.policyID, ok = text(value); !ok || c.policyID == "" {
			return "has a policyId that is empty or not a string"
		}
	case "isAuthorized":
		if c.isAuthorized, ok = boolean(value); !ok {
			return "has an isAuthorized that is not a boolean"
		}
		c.decided = true
	case "isNewContext":
		b, ok := boolean(value)
		if !ok {
			return "has an isNewContext that is not a boolean"
		}
		c.isNewContext = &b
	case "exp":
		if c.exp.Time, ok = seconds(value); !ok {
			return "has an exp that is not a whole number of seconds"
		}
	case "iat":
		if c.iat.Time, ok = seconds(value); !ok {
			return "has an iat that is not a whole number of seconds"
		}
	case "nbf":
		if c.nbf.Time, ok = seconds(value); !ok {
			return "has an nbf that is not a whole number of seconds"
		}
	case "iss", "personId":
		c.foreign = true
	}
	return ""
}

// accessToken reports that the payload is an access token's: it names an issuer
// or a personId and says nothing of an attempt.
func (c *claims) accessToken() bool {
	return c.foreign && c.attemptID == "" && !c.decided
}

// The methods of jwt.Claims. Attestations have no issuer, subject or audience.

// GetExpirationTime implements jwt.Claims.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return date(&c.exp), nil }

// GetIssuedAt implements jwt.Claims.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return date(&c.iat), nil }

// GetNotBefore implements jwt.Claims.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return date(&c.nbf), nil }

// GetIssuer implements jwt.Claims.
func (c *claims) GetIssuer() (string, error) { return "", nil }

// GetSubject implements jwt.Claims.
func (c *claims) GetSubject() (string, error) { return "", nil }

// GetAudience implements jwt.Claims.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return nil, nil }

// date is nil for a claim that is absent.
func date(d *jwt.NumericDate) *jwt.NumericDate {
	if d.IsZero() {
		return nil
	}
	return d
}
