package cafsmartauth

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

const opAuthentication = "authentication"

// Status is the state of an attempt in the provider's words.
type Status string

// StatusApproved is the only status the provider documents. Any other one,
// the empty one included, is not known to mean anything.
const StatusApproved Status = "approved"

// Authentication is everything the provider tells about one attempt. Every
// field is optional: the provider's renderings differ, so a nil pointer or an
// empty value means absent. A field in a form that no rendering shows is left
// empty too; Raw has it.
//
// Do not derive who may come in from it: the documents show approved beside a
// refusal reason, and give no rules. An attestation decides; this explains.
type Authentication struct {
	kyckit.Redacted
	RequestID string      `json:"requestId,omitempty"`
	ID        string      `json:"id,omitempty"`
	Status    Status      `json:"status,omitempty"`
	CreatedAt Time        `json:"createdAt,omitzero"`
	Identity  *PersonInfo `json:"identity,omitempty"`
	Policy    *PolicyInfo `json:"policy,omitempty"`
	Context   *Context    `json:"context,omitempty"`
	// ContextAnalysisResult is shown in one rendering only, as "INVALID".
	ContextAnalysisResult string                `json:"contextAnalysisResult,omitempty"`
	AuthenticationMethods AuthenticationMethods `json:"authenticationMethods,omitzero"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// PersonInfo is the identity an attempt was made for.
type PersonInfo struct {
	kyckit.Redacted
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// PersonID is the CPF as the provider writes it. The samples have some of
	// nine digits.
	PersonID  string `json:"personId,omitempty"`
	CreatedAt Time   `json:"createdAt,omitzero"`
}

// PolicyInfo is the policy an attempt was made under.
type PolicyInfo struct {
	kyckit.Redacted
	// ID is the provider's internal id.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// PolicyID is the one that apps and attestations use.
	PolicyID  string `json:"policyId,omitempty"`
	CreatedAt Time   `json:"createdAt,omitzero"`
}

// AuthenticationMethods are the further verifications an attempt asked for.
type AuthenticationMethods struct {
	kyckit.Redacted
	// Face is the key face_authentication.
	Face *FaceAuthentication
	// Other holds every other method as it came. The keys and forms of the
	// codes by e-mail and SMS are not documented.
	Other map[string]json.RawMessage
}

const faceKey = "face_authentication"

// FaceAuthentication is a verification by face.
type FaceAuthentication struct {
	kyckit.Redacted
	Status   Status        `json:"status,omitempty"`
	Attempts []FaceAttempt `json:"attempts,omitempty"`
}

// FaceAttempt is one try of a verification by face.
type FaceAttempt struct {
	kyckit.Redacted
	CreatedAt Time `json:"createdAt,omitzero"`
	// RefusalReason is shown as "person_not_alive"; the others are not
	// documented. The SDK does not tell them.
	RefusalReason string     `json:"refusalReason,omitempty"`
	ProvidedFace  *Face      `json:"providedFace,omitempty"`
	ExpectedFace  *Face      `json:"expectedFace,omitempty"`
	FaceMatch     *FaceMatch `json:"faceMatch,omitempty"`
	Liveness      *Liveness  `json:"liveness,omitempty"`
}

// Face is an image of a face.
type Face struct {
	kyckit.Redacted
	// SignedURL gives the image to whoever holds it. Keep it out of logs.
	SignedURL string `json:"signedUrl,omitempty"`
}

// FaceMatch is the comparison of the two faces.
type FaceMatch struct {
	kyckit.Redacted
	IsMatch *bool `json:"isMatch,omitempty"`
	// Similarity is sent as a string. Its scale is not documented.
	Similarity Number `json:"similarity,omitempty"`
}

// Liveness tells whether the face was that of somebody present.
type Liveness struct {
	kyckit.Redacted
	IsAlive *bool `json:"isAlive,omitempty"`
}

// UnmarshalJSON splits the documented method from the others. It never fails.
func (m *AuthenticationMethods) UnmarshalJSON(b []byte) error {
	*m = AuthenticationMethods{}
	var all map[string]json.RawMessage
	if json.Unmarshal(b, &all) != nil {
		return nil //nolint:nilerr // another form is as if absent
	}
	for key, value := range all {
		if key == faceKey && value[0] == '{' {
			m.Face = &FaceAuthentication{}
			_ = lenient.Object(value, m.Face) // valid, and an object
			continue
		}
		if m.Other == nil {
			m.Other = map[string]json.RawMessage{}
		}
		m.Other[key] = value
	}
	return nil
}

// MarshalJSON writes all methods as one object, as they are read.
func (m AuthenticationMethods) MarshalJSON() ([]byte, error) {
	all := make(map[string]any, len(m.Other)+1)
	for key, value := range m.Other {
		all[key] = value
	}
	if m.Face != nil {
		all[faceKey] = m.Face
	}
	return json.Marshal(all)
}

// Authentication reads the details of an attempt, the refusal reasons above all.
// attemptID comes from a verified [Attestation], from [NotAuthorizedError] or,
// unsigned, from the app; one that is empty or cannot stand in a path is
// refused. The call is repeated as [kyckit.HTTP] says.
//
// The error is a *kyckit.Error, of kind [kyckit.ErrDecode] for an answer with the
// id of another attempt. Whose attempt it was is not asked and so not compared:
// compare Identity.PersonID where that matters. The provider documents no error
// bodies: Body holds them as they came.
func (c *Client) Authentication(ctx context.Context, attemptID string) (_ *Authentication, err error) {
	if err := c.made(opAuthentication); err != nil {
		return nil, err
	}
	ctx, end := c.calls.Scope(ctx)
	defer end(&err)
	resp, err := c.calls.Do(ctx, &transport.Call{
		Op:         opAuthentication,
		Method:     http.MethodGet,
		Path:       "/authentications/{attemptId}",
		Args:       []string{attemptID},
		Repeatable: true,
	})
	if err != nil {
		return nil, withRequestID(err)
	}
	a, ok := decodeAuthentication(resp.Body)
	switch {
	case !ok:
		return nil, resp.Fail(kyckit.ErrDecode, "the answer is not a JSON object", transport.Explanation{})
	case len(a.ID) == len(attemptID) && a.ID != attemptID:
		// An id of another length is none of an attempt's, but the provider's
		// own of the record.
		return nil, resp.Fail(kyckit.ErrDecode, "the answer is about another attempt", transport.Explanation{})
	}
	return a, nil
}

// maxItems is the longest array that is read of an authentication, whose only
// long one are the tries of a person.
const maxItems = 10_000

// decodeAuthentication takes every JSON object without an endless array.
func decodeAuthentication(body []byte) (*Authentication, bool) {
	if _, longest := lenient.Items(body); longest > maxItems || !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return nil, false
	}
	a := &Authentication{}
	if lenient.Object(body, a) != nil {
		return nil, false
	}
	a.Raw = body
	return a, true
}
