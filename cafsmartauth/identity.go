package cafsmartauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

const opIdentity = "create identity"

// IdentityParams describes a new identity.
type IdentityParams struct {
	kyckit.Redacted
	// Name is the person's name. Required.
	Name string
	// PersonID is the CPF, bare or punctuated; it is sent as [Config.CPFForm]
	// says. Required.
	PersonID string
	// ImageURL is the address of a clear selfie, which the provider fetches:
	// an absolute https address without credentials. Required.
	ImageURL string
	// Email receives codes, where a policy asks for them.
	Email string
	// Phone receives codes: country, area and number, for example
	// +55 (11) 99999-9999. Punctuation is removed; 8 to 15 digits are sent, as a
	// string unless [Config.PhoneAsNumber] is set.
	Phone string
}

// Identity is an identity that was created.
type Identity struct {
	kyckit.Redacted
	// ID is the provider's id, never empty.
	ID string `json:"id"`
	// RequestID is the provider's id of the exchange.
	RequestID string `json:"requestId,omitempty"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// identityBody is what is sent.
type identityBody struct {
	Name     string `json:"name"`
	PersonID string `json:"personId"`
	ImageURL string `json:"imageUrl"`
	Email    string `json:"email,omitempty"`
	Phone    any    `json:"phone,omitempty"`
}

// CreateIdentity registers a person. The provider documents no way to change,
// delete or list identities, no behaviour for a CPF it knows already and no key
// against doing it twice, so the call is never repeated once it may have
// reached the provider: it ends in [kyckit.ErrOutcomeUnknown] instead. Any 2xx
// with an id is success. Only a 401 is answered by one replay with a new token:
// a call that was refused did nothing.
//
// The error is a *kyckit.Error; one of kind [kyckit.ErrInvalid] without a
// StatusCode was refused before anything was sent.
func (c *Client) CreateIdentity(ctx context.Context, params IdentityParams) (_ *Identity, err error) {
	if err := c.made(opIdentity); err != nil {
		return nil, err
	}
	ctx, end := c.calls.Scope(ctx)
	defer end(&err)
	in, reason := c.identity(params)
	if reason != "" {
		return nil, transport.InputError(provider, opIdentity, reason)
	}
	body, err := transport.JSONBody(in)
	if err != nil {
		return nil, transport.InputError(provider, opIdentity, "the parameters cannot be encoded")
	}
	resp, err := c.calls.Do(ctx, &transport.Call{Op: opIdentity, Method: http.MethodPost, Path: "/identities", Body: body})
	if err != nil {
		return nil, withRequestID(err)
	}
	var got struct {
		ID        id `json:"id"`
		RequestID id `json:"requestId"`
	}
	if err := resp.Decode(&got); err != nil {
		return nil, err
	}
	if got.ID == "" {
		return nil, withRequestID(resp.Fail(kyckit.ErrDecode, "the answer has no id", transport.Explanation{}))
	}
	return &Identity{ID: string(got.ID), RequestID: string(got.RequestID), Raw: resp.Body}, nil
}

// identity checks the parameters and says what is wrong without quoting them.
func (c *Client) identity(p IdentityParams) (in identityBody, reason string) {
	var room cpfRoom
	person, reason := c.person(room[:0], p.PersonID)
	switch {
	case strings.TrimSpace(p.Name) == "":
		return in, "Name is required"
	case !utf8.ValidString(p.Name):
		return in, "Name must be UTF-8"
	case reason != "":
		return in, "PersonID " + reason
	case !imageURL(p.ImageURL):
		return in, "ImageURL must be an absolute https address without credentials"
	case p.Email != "" && !email(p.Email):
		return in, "Email must be one bare address"
	}
	in = identityBody{Name: p.Name, PersonID: string(person), ImageURL: p.ImageURL, Email: p.Email}
	if p.Phone != "" {
		phone, ok := phoneDigits(p.Phone)
		switch {
		case !ok:
			return in, "Phone must be 8 to 15 digits with the country code"
		case c.asNumber:
			in.Phone = json.Number(phone)
		default:
			in.Phone = phone
		}
	}
	return in, ""
}

func imageURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

func email(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

// phoneDigits removes the usual punctuation and refuses everything else. No
// country code begins with a zero.
func phoneDigits(s string) (string, bool) {
	digits := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == '+' && i == 0, c == ' ', c == '-', c == '.', c == '(', c == ')':
		default:
			return "", false
		}
	}
	return string(digits), len(digits) >= 8 && len(digits) <= 15 && digits[0] != '0'
}
