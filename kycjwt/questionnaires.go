package kycjwt

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"

	"github.com/kyckit/kyckit"
)

// Questionnaire is a set of questions to a customer. Its fields are documented,
// and one that comes in another form is an error: answers must fit the
// questions. Lists may leave Data out.
type Questionnaire struct {
	kyckit.Redacted
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Description string             `json:"description"`
	IsPublished bool               `json:"is_published"`
	OwnerType   string             `json:"owner_type"`
	OwnerTypeID string             `json:"owner_type_id"`
	IsGeneric   bool               `json:"is_generic"`
	CreatedAt   string             `json:"created_at"`
	Data        *QuestionnaireData `json:"data"`
	// Raw is the whole answer as it came.
	Raw json.RawMessage `json:"-"`
}

// QuestionnaireData is one version of a questionnaire.
type QuestionnaireData struct {
	kyckit.Redacted
	ID              string     `json:"id"`
	VersionNumber   int        `json:"version_number"`
	QuestionnaireID string     `json:"questionnaire_id"`
	CreatedAt       string     `json:"created_at"`
	Questions       []Question `json:"questions"`
}

// Question is one question. Which field of an Answer belongs to it follows
// from QuestionType.
type Question struct {
	kyckit.Redacted
	ID    string `json:"id"`
	Label string `json:"label"`
	// Value is not described by the provider and kept as it came.
	Value json.RawMessage `json:"value"`
	// QuestionType is the provider's word, for example "text", "integer",
	// "bool", "single_choice", "document" or "multiple_documents". Other words
	// may come.
	QuestionType string `json:"question_type"`
	Position     int    `json:"position"`
	IsOptional   bool   `json:"is_optional"`
	// Options are the choices. Their members are not documented.
	Options []json.RawMessage `json:"options"`
}

// UnmarshalJSON keeps the answer as it is beside its fields.
func (q *Questionnaire) UnmarshalJSON(b []byte) error {
	type plain Questionnaire
	*q = Questionnaire{Raw: clone(b)}
	return json.Unmarshal(b, (*plain)(q))
}

// Questionnaire reads one questionnaire with its questions. An answer with
// another id is kyckit.ErrDecode.
func (c *Client) Questionnaire(ctx context.Context, id string) (*Questionnaire, error) {
	return fetch(ctx, c, Request{Path: "/questionnaires/{id}", Args: []string{id}, op: "questionnaire"},
		func(q *Questionnaire) bool { return q.ID == "" || q.ID == id })
}

// Questionnaires lists the questionnaires for a kind of customer or, when
// owner has an ID, for that customer. Errors are those of List. OwnerTypeID is
// not compared with the owner: what it holds is not described.
func (c *Client) Questionnaires(ctx context.Context, owner Owner) iter.Seq2[Questionnaire, error] {
	const op = "questionnaires"
	if owner.Type.path() == "" {
		return refuse[Questionnaire](invalid(op, "the owner type is not known"))
	}
	r := Request{Method: http.MethodGet, Path: "/questionnaires" + owner.Type.path(), op: op}
	if owner.ID != "" {
		r.Path += "/{id}"
		r.Args = []string{owner.ID}
	}
	return list[Questionnaire](ctx, c, r)
}

// Answer answers one question: QuestionID and exactly one other field. It
// prints redacted; its JSON is clear.
type Answer struct {
	kyckit.Redacted
	QuestionID string `json:"question_id"`
	// Text answers a text question.
	Text *string `json:"answer_text,omitempty"`
	// Integer answers an integer question.
	Integer *int64 `json:"answer_integer,omitempty"`
	// Bool answers a bool question.
	Bool *bool `json:"answer_boolean,omitempty"`
	// OptionID answers a single choice.
	OptionID string `json:"answer_option_id,omitempty"`
	// OptionIDs answers a multiple choice.
	OptionIDs []string `json:"answer_option_ids,omitempty"`
	// DocumentID answers a question for one document.
	DocumentID string `json:"answer_document_id,omitempty"`
	// DocumentIDs answers a question for several documents.
	DocumentIDs []string `json:"answer_document_ids,omitempty"`
}

// given counts the answers in a.
func (a Answer) given() int {
	n := 0
	for _, set := range []bool{
		a.Text != nil, a.Integer != nil, a.Bool != nil,
		a.OptionID != "", len(a.OptionIDs) > 0, a.DocumentID != "", len(a.DocumentIDs) > 0,
	} {
		if set {
			n++
		}
	}
	return n
}

// Respond answers a questionnaire for a customer. The body is documented, the
// answer is not. Whether all questions must be answered at once is for the
// provider to say.
//
// The call is never repeated: see CreatePerson.
func (c *Client) Respond(ctx context.Context, owner Owner, questionnaireID string, answers []Answer) (*Created, error) {
	const op = "respond"
	if owner.Type.path() == "" {
		return nil, invalid(op, "the owner type is not known")
	}
	if len(answers) == 0 {
		return nil, invalid(op, "answers is required")
	}
	for i, a := range answers {
		if a.QuestionID == "" || a.given() != 1 {
			return nil, invalid(op, "answers["+strconv.Itoa(i)+"] needs a QuestionID and exactly one answer")
		}
	}
	body := struct {
		Answers []Answer `json:"answers"`
	}{answers}
	return c.create(ctx, Request{
		Path: owner.Type.path() + "/{id}/questionnaires/{qid}/response",
		Args: []string{owner.ID, questionnaireID}, Body: body, op: op,
	})
}
