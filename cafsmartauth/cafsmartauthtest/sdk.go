package cafsmartauthtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
)

// Outcome is how an attempt ends, or how an attacker wants it to look. Its text
// is for the flags and fields of programs; one that is none of the constants is
// refused.
type Outcome string

// The outcomes. The first four are what an honest SDK gives.
const (
	// Authorized: the person passed, in a known context.
	Authorized Outcome = "authorized"
	// AuthorizedNewContext: the person passed further verification.
	AuthorizedNewContext Outcome = "new-context"
	// Denied: a signed attestation that says not authorised.
	Denied Outcome = "denied"
	// DeniedUnsigned: no attestation, only the id of the attempt.
	DeniedUnsigned Outcome = "denied-unsigned"
	// Pending: as Denied, and the SDK reports pending.
	Pending Outcome = "pending"
	// PendingUnsigned: as DeniedUnsigned, and the SDK reports pending.
	PendingUnsigned Outcome = "pending-unsigned"
	// Expired: authorised, but an hour ago.
	Expired Outcome = "expired"
	// FromTheFuture: authorised an hour from now.
	FromTheFuture Outcome = "from-the-future"
	// Forged: signed with another secret.
	Forged Outcome = "forged"
	// Tampered: the signature of an authentic denial over other claims.
	Tampered Outcome = "tampered"
	// OtherPerson: authorised for another CPF.
	OtherPerson Outcome = "other-person"
	// OtherPolicy: authorised under another policy.
	OtherPolicy Outcome = "other-policy"
	// AccessToken: the app's own access token in place of an attestation.
	AccessToken Outcome = "access-token"
	// AlgNone: unsigned, with alg none.
	AlgNone Outcome = "alg-none"
	// AlgHS512: signed with the right secret and another algorithm.
	AlgHS512 Outcome = "alg-hs512"
	// AlgRS256: claims RS256 and carries a signature of its length.
	AlgRS256 Outcome = "alg-rs256"
)

// Outcomes returns every outcome, in the order of the constants.
func Outcomes() []Outcome {
	return []Outcome{
		Authorized, AuthorizedNewContext, Denied, DeniedUnsigned, Pending, PendingUnsigned, Expired, FromTheFuture, Forged,
		Tampered, OtherPerson, OtherPolicy, AccessToken, AlgNone, AlgHS512, AlgRS256,
	}
}

// OtherCPF and OtherPolicyID are whom and what the outcomes OtherPerson and
// OtherPolicy name.
const (
	OtherCPF      = "11144477735"
	OtherPolicyID = "fake-other-policy"
)

// AttestationTTL is the life of an attestation, as in the provider's sample.
const AttestationTTL = 120 * time.Second

// SDK plays the SDK inside an app and the provider behind it.
type SDK struct {
	secret kyckit.Secret
	server *Server
	next   int
}

// NewSDK returns a simulator without a server: its attempts have no details.
// It signs with clientSecret. It is not safe for concurrent use without a
// server.
func NewSDK(clientSecret kyckit.Secret) *SDK { return &SDK{secret: clientSecret} }

// VerifyPolicy plays the SDK's call of that name: the person personID goes
// through the policy policyID and ends as outcome says. accessToken is what the
// backend minted; like the provider, the simulator refuses one that is expired,
// signed with another secret or bound to another person.
func (s *SDK) VerifyPolicy(accessToken, personID, policyID string, outcome Outcome) (cafsmartauth.Answer, error) {
	if !slices.Contains(Outcomes(), outcome) {
		return cafsmartauth.Answer{}, errors.New("cafsmartauthtest: there is no such outcome")
	}
	claims, err := readToken(accessToken, s.secret)
	if err != nil {
		return cafsmartauth.Answer{}, err
	}
	if claims.PersonID != "" && digits(claims.PersonID) != digits(personID) {
		return cafsmartauth.Answer{}, errors.New("cafsmartauthtest: the access token is bound to another person")
	}
	attemptID := s.attempt(personID, policyID, outcome)
	answer := cafsmartauth.Answer{
		AttemptID:    attemptID,
		IsAuthorized: true,
		Pending:      outcome == Pending || outcome == PendingUnsigned,
	}
	switch outcome {
	case Denied, DeniedUnsigned, Pending, PendingUnsigned:
		answer.IsAuthorized = false
	}
	switch outcome {
	case DeniedUnsigned, PendingUnsigned:
	case AccessToken:
		answer.Attestation = accessToken
	default:
		answer.Attestation = s.attestation(attemptID, personID, policyID, outcome)
	}
	return answer, nil
}

// attestation builds the attestation of an outcome.
func (s *SDK) attestation(attemptID, personID, policyID string, outcome Outcome) string {
	now := time.Now()
	c := map[string]any{
		"attemptId":    attemptID,
		"peopleId":     personID,
		"policyId":     policyID,
		"isAuthorized": outcome != Denied && outcome != Pending,
		"isNewContext": outcome == AuthorizedNewContext,
		"iat":          now.Unix(),
		"exp":          now.Add(AttestationTTL).Unix(),
	}
	header := `{"alg":"HS256","typ":"JWT"}`
	switch outcome {
	case Expired:
		c["iat"], c["exp"] = now.Add(-time.Hour-AttestationTTL).Unix(), now.Add(-time.Hour).Unix()
	case FromTheFuture:
		c["iat"], c["exp"] = now.Add(time.Hour).Unix(), now.Add(time.Hour+AttestationTTL).Unix()
	case OtherPerson:
		c["peopleId"] = OtherCPF
		if digits(personID) == OtherCPF {
			c["peopleId"] = "52998224725"
		}
	case OtherPolicy:
		c["policyId"] = OtherPolicyID
	case Forged:
		return sign(kyckit.NewSecret("not "+s.secret.Reveal()), header, encode(c))
	case Tampered:
		c["isAuthorized"] = false
		denied := sign(s.secret, header, encode(c))
		c["isAuthorized"] = true
		return unsigned(header, encode(c)) + denied[len(denied)-44:]
	case AlgNone:
		return unsigned(`{"alg":"none","typ":"JWT"}`, encode(c)) + "."
	case AlgHS512:
		return signHS512(s.secret, `{"alg":"HS512","typ":"JWT"}`, encode(c))
	case AlgRS256:
		return unsigned(`{"alg":"RS256","typ":"JWT"}`, encode(c)) + "." + rsaLength()
	}
	return s.Sign(header, encode(c))
}

// Sign returns a token of any header and payload, signed with HS256 and the
// client secret, for attestations that [SDK.VerifyPolicy] does not know.
// Neither is checked.
func (s *SDK) Sign(header, payload string) string { return sign(s.secret, header, payload) }

// attempt makes an id and, with a server, the details behind it.
func (s *SDK) attempt(personID, policyID string, outcome Outcome) string {
	if s.server == nil {
		s.next++
		return fmt.Sprintf("fa01e%019x", s.next)
	}
	id := s.server.newID(1)
	status, reason := "approved", ""
	switch outcome {
	case Denied, DeniedUnsigned:
		// The status is made up: the provider documents none but approved.
		status, reason = "fake_denied", "person_not_alive"
	case Pending, PendingUnsigned:
		status = "fake_pending"
	}
	alive := reason == ""
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	details := map[string]any{
		"requestId": "req-" + id,
		"id":        id,
		"status":    status,
		"createdAt": now,
		"identity":  map[string]any{"id": "fa04e0000000000000000001", "name": "Pessoa Inventada", "personId": personID, "createdAt": now},
		"policy":    map[string]any{"id": "fa05e0000000000000000001", "name": "Fake policy", "policyId": policyID, "createdAt": now},
		"context": map[string]any{
			"device": map[string]any{"fingerPrint": "fakefingerprint", "type": "web", "createdAt": now},
			"location": map[string]any{
				"location": map[string]any{"type": "Point", "accuracy": "35.5", "coordinates": []float64{-23.5, -46.5}},
			},
			"network": map[string]any{"ip": "192.0.2.1", "asCode": 64500, "asName": "FAKE", "isVpn": false},
		},
		"authenticationMethods": map[string]any{
			"face_authentication": map[string]any{
				"status": status,
				"attempts": []any{map[string]any{
					"createdAt": now, "refusalReason": reason,
					"providedFace": map[string]any{"signedUrl": "https://faces.example/provided?signature=fake"},
					"expectedFace": map[string]any{"signedUrl": "https://faces.example/expected?signature=fake"},
					"faceMatch":    map[string]any{"isMatch": true, "similarity": "98.75"},
					"liveness":     map[string]any{"isAlive": alive},
				}},
			},
		},
	}
	s.server.SetAuthentication(id, json.RawMessage(encode(details)))
	return id
}
