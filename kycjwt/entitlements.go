package kycjwt

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"

	"github.com/kyckit/kyckit/internal/lenient"
)

// EntitlementLists is a form of the entitlement list; the provider's pages
// show two.
type EntitlementLists int

const (
	// EntitlementsByQuery is GET /entitlements?owner_type=…, the newer form and
	// the default.
	EntitlementsByQuery EntitlementLists = iota
	// EntitlementsByPath is GET /entitlements/persons and
	// /entitlements/corporates, the older form.
	EntitlementsByPath
)

// Entitlement is something a customer can be cleared for, and what it takes.
// Its fields are documented; one that comes in another form is left empty, and
// Raw has it.
type Entitlement struct {
	ID             string                     `json:"id"`
	Name           string                     `json:"name"`
	Description    string                     `json:"description"`
	CreatedAt      string                     `json:"created_at"`
	UpdatedAt      string                     `json:"updated_at"`
	Questionnaires []EntitlementQuestionnaire `json:"questionnaires"`
	// Raw is the whole item as it came.
	Raw json.RawMessage `json:"-"`
}

// EntitlementQuestionnaire is a questionnaire that an entitlement asks for.
type EntitlementQuestionnaire struct {
	EntitlementID   string `json:"entitlement_id"`
	QuestionnaireID string `json:"questionnaire_id"`
	// Position orders the questionnaires of an entitlement.
	Position int `json:"position"`
}

// UnmarshalJSON keeps the item as it is beside its fields.
func (e *Entitlement) UnmarshalJSON(b []byte) error {
	type plain Entitlement
	*e = Entitlement{}
	err := lenient.Object(b, (*plain)(e))
	e.Raw = clone(b)
	return err
}

// Entitlements lists the entitlements for a kind of customer. The form of the
// call is Config.EntitlementLists. Errors are those of List.
func (c *Client) Entitlements(ctx context.Context, owner OwnerType) iter.Seq2[Entitlement, error] {
	const op = "entitlements"
	r := Request{Method: http.MethodGet, op: op}
	switch {
	case owner.path() == "":
		return refuse[Entitlement](invalid(op, "the owner type is not known"))
	case c != nil && c.entitlements == EntitlementsByPath:
		r.Path = "/entitlements" + owner.path()
	default:
		r.Path, r.Query = "/entitlements", url.Values{"owner_type": {string(owner)}}
	}
	return list[Entitlement](ctx, c, r)
}

// TriggerEntitlement starts the workflow of an entitlement for a person; its
// outcome arrives by webhook. The path is documented, the body is not: body is
// sent as JSON as it is, nil sends none. Corporates have no documented trigger.
//
// The call is never repeated: see CreatePerson.
func (c *Client) TriggerEntitlement(ctx context.Context, personID string, body any) (*Created, error) {
	return c.create(ctx, Request{
		Path: "/persons/{id}/entitlement_triggers", Args: []string{personID}, Body: body, op: "trigger entitlement",
	})
}

// refuse is a list that fails before anything is sent.
func refuse[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
