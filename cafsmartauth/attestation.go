package cafsmartauth

import (
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kyckit/kyckit"
)

// maxAttestation is the longest attestation that is looked at, in bytes. Real
// ones have about 350.
const maxAttestation = 8 << 10

// Expected says who an attestation must be about. An empty field never matches.
type Expected struct {
	kyckit.Redacted
	// PersonID is the CPF of the person who claims to be at the other end, bare
	// or punctuated. Take it from your own session, never from the attestation.
	PersonID string
	// PolicyID is the policy the app was told to have verified. It compares
	// exactly.
	PolicyID string
}

// Attestation is a verified attestation: the provider says that this person
// passed this policy just now.
type Attestation struct {
	kyckit.Redacted
	// AttemptID is what [Client.Authentication] takes.
	AttemptID string `json:"attemptId"`
	// PersonID is the CPF that passed, as 11 digits.
	PersonID string `json:"personId"`
	// PolicyID is the policy that was passed.
	PolicyID string `json:"policyId"`
	// IsNewContext is true when the device, location or network was not known
	// before and further verification was passed. The documents disagree in
	// words and agree in name and code. Nil when the claim is absent.
	IsNewContext *bool `json:"isNewContext,omitempty"`
	// IssuedAt is the claim iat, or the zero time.
	IssuedAt time.Time `json:"issuedAt,omitzero"`
	// ExpiresAt is the claim exp.
	ExpiresAt time.Time `json:"expiresAt"`
}

// VerifyAttestation decides whether an attestation may be believed. It returns
// it only when all of this holds:
//
//   - it is signed with HS256 and this client's secret; that is checked before
//     anything in it is read;
//   - header and claims are strict JSON in canonical base64url: no key twice,
//     upper and lower case alike, no critical extension;
//   - attemptId, peopleId and policyId are there, and a boolean isAuthorized,
//     which an access token does not have;
//   - exp is there, in seconds, and not past; iat is not in the future;
//     [Config.Leeway] applies to both;
//   - peopleId is the expected CPF, both reduced to digits, and policyId is the
//     expected policy;
//   - isAuthorized is true.
//
// The error is a *kyckit.Error that is one of [ErrMalformed], [ErrForged],
// [ErrAccessToken], [ErrExpired], [ErrNotYetValid], [ErrWrongPerson],
// [ErrWrongPolicy] and [ErrDenied]. It is [kyckit.ErrForbidden] when denied and
// [kyckit.ErrInvalid] otherwise.
//
// An attestation can be used until it expires, by whoever holds it; pass the
// result to [UseOnce] to accept it once only. VerifyAttestation makes no calls
// and is safe for concurrent use.
func (c *Client) VerifyAttestation(token string, want Expected) (*Attestation, error) {
	if err := c.made(opAttestation); err != nil {
		return nil, err
	}
	header, err := c.authentic(token)
	if err != nil {
		return nil, err
	}
	if header != documentedHeader {
		if reason := checkHeader(header); reason != "" {
			return nil, refuse(ErrMalformed, reason)
		}
	}
	var got claims
	if err := c.parse(token, &got); err != nil {
		return nil, err
	}
	person, ok := normalise(got.peopleID)
	wanted, expected := normalise(want.PersonID)
	switch {
	case !ok || !expected || person != wanted:
		return nil, refuse(ErrWrongPerson, "")
	case want.PolicyID == "" || got.policyID != want.PolicyID:
		return nil, refuse(ErrWrongPolicy, "")
	case !got.isAuthorized:
		return nil, notAuthorized(&NotAuthorizedError{AttemptID: got.attemptID, Signed: true})
	}
	return &Attestation{
		AttemptID:    got.attemptID,
		PersonID:     person,
		PolicyID:     got.policyID,
		IsNewContext: got.isNewContext,
		IssuedAt:     got.iat.Time,
		ExpiresAt:    got.exp.Time,
	}, nil
}

// authentic checks the shape and the MAC of a token over the bytes as they
// stand, without allocating, and returns the header as it stands.
func (c *Client) authentic(token string) (header string, err error) {
	if token == "" {
		return "", errNone
	}
	if len(token) > maxAttestation {
		return "", errTooLong
	}
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first <= 0 || last <= first+1 || strings.IndexByte(token[first+1:last], '.') >= 0 {
		return "", errNotJWT
	}
	switch signature := token[last+1:]; {
	case signature == "":
		return "", errUnsigned
	case len(signature) != signatureLen:
		return "", errNotHS256
	case !c.macs.verify(token[:last], signature):
		return "", errBadSignature
	case !canonical(token[first+1 : last]):
		return "", refuse(ErrMalformed, "the payload is not canonical base64url")
	}
	return token[:first], nil
}

// canonical refuses line breaks, which the library's base64 decoder skips even
// when it is strict.
func canonical(segment string) bool { return !strings.ContainsAny(segment, "\r\n") }

// parse has golang-jwt read a token whose MAC and header are known to be right,
// and check its times. Its own check of the signature would compute the same
// MAC over the same bytes a second time, so it is left out.
func (c *Client) parse(token string, into *claims) error {
	_, _, err := c.parser.ParseUnverified(token, into)
	if err == nil {
		err = c.times.Validate(into)
	}
	switch {
	case err == nil && into.attemptID != "":
		return nil
	case into.accessToken():
		return refuse(ErrAccessToken, "")
	case into.reason != "":
		return refuse(ErrMalformed, into.reason)
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(ErrExpired, "")
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued), errors.Is(err, jwt.ErrTokenNotValidYet):
		return refuse(ErrNotYetValid, "")
	default:
		// A payload of null reaches this point: no claim was ever set.
		return refuse(ErrMalformed, "the payload is not a JSON object")
	}
}

// newTimes returns the check of exp, iat and nbf.
func newTimes(leeway time.Duration) *jwt.Validator {
	return jwt.NewValidator(
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(time.Now),
	)
}

// Answer is what the app passes on from the SDK to its backend. None of it but
// the attestation is signed, so nothing else in it can let anybody in.
type Answer struct {
	kyckit.Redacted
	// Attestation is the signed part. It is empty when the SDK gave none.
	Attestation string `json:"attestation"`
	// AttemptID is the attempt; the SDK gives it beside the attestation, inside
	// it, or not at all.
	AttemptID string `json:"attemptId"`
	// IsAuthorized is the SDK's own word. It decides nothing.
	IsAuthorized bool `json:"isAuthorized"`
	// Pending is for the app to set when the SDK called onPending or reported
	// CONTEXT_PENDING. It can turn a denial into [ErrPending], no more.
	Pending bool `json:"pending"`
}

// VerifyAnswer is [Client.VerifyAttestation] for the app's whole answer, which
// may come without an attestation. Where that method says [ErrDenied], and
// where there is no attestation, the error is [ErrPending] if the app reported
// pending, else ErrDenied; [NotAuthorizedError] holds the attempt's id.
func (c *Client) VerifyAnswer(answer Answer, want Expected) (*Attestation, error) {
	if answer.Attestation == "" {
		return nil, notAuthorized(&NotAuthorizedError{AttemptID: answer.AttemptID, Pending: answer.Pending})
	}
	a, err := c.VerifyAttestation(answer.Attestation, want)
	var denied *NotAuthorizedError
	if answer.Pending && errors.As(err, &denied) {
		return nil, notAuthorized(&NotAuthorizedError{AttemptID: denied.AttemptID, Pending: true, Signed: true})
	}
	return a, err
}
