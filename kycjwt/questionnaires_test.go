package kycjwt_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestQuestionnairesAreReadPageByPage(t *testing.T) {
	for _, older := range []bool{false, true} {
		fake, client := start(t, kycjwttest.Config{PageSize: 2, OlderLists: older})
		for i := range 4 {
			fake.AddQuestionnaire(kycjwt.Questionnaire{ID: fmt.Sprint("q-", i)})
		}
		got := all(t, client.Questionnaires(t.Context(), kycjwt.Owner{Type: kycjwt.OwnerPerson}))
		require.Len(t, got, 5)
		assert.Equal(t, "q-3", got[4].ID)
		assert.Nil(t, got[4].Data)
		assert.Equal(t, 3, fake.Count("questionnaires"))
	}
}

func TestQuestionnairesAndResponses(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	company := kycjwt.Corporate(fake.AddCorporate())
	for _, o := range []kycjwt.Owner{{Type: kycjwt.OwnerPerson}, {Type: kycjwt.OwnerCorporate}, who, company} {
		got := all(t, client.Questionnaires(t.Context(), o))
		require.Len(t, got, 1)
		assert.Equal(t, kycjwttest.QuestionnaireID, got[0].ID)
	}
	q, err := client.Questionnaire(t.Context(), kycjwttest.QuestionnaireID)
	require.NoError(t, err)
	require.Len(t, q.Data.Questions, 5)
	assert.Equal(t, "single_choice", q.Data.Questions[3].QuestionType)
	assert.Len(t, q.Data.Questions[3].Options, 2)
	assert.Contains(t, string(q.Raw), `"version_number":1`)

	answers := []kycjwt.Answer{
		{QuestionID: "question-text", Text: new("")}, // an empty text is an answer
		{QuestionID: "question-integer", Integer: new(int64(0))},
		{QuestionID: "question-bool", Bool: new(false)},
		{QuestionID: "question-choice", OptionID: "option-a"},
		{QuestionID: "question-document", DocumentID: "d-1"},
	}
	for _, o := range []kycjwt.Owner{who, company} {
		_, err = client.Respond(t.Context(), o, q.ID, answers)
		require.NoError(t, err)
	}
	got := fake.Responses()
	require.Len(t, got, 2)
	assert.Equal(t, kycjwttest.Response{Owner: company, QuestionnaireID: q.ID, Answers: answers}, got[1])
	assert.JSONEq(t, `{"answers":[{"question_id":"question-text","answer_text":""},{"question_id":"question-integer","answer_integer":0},
		{"question_id":"question-bool","answer_boolean":false},{"question_id":"question-choice","answer_option_id":"option-a"},
		{"question_id":"question-document","answer_document_id":"d-1"}]}`, string(fake.Requests("respond")[0].Body))

	many, err := json.Marshal([]kycjwt.Answer{{QuestionID: "a", OptionIDs: []string{"x", "y"}}, {QuestionID: "b", DocumentIDs: []string{"d"}}})
	require.NoError(t, err)
	assert.JSONEq(t, `[{"question_id":"a","answer_option_ids":["x","y"]},{"question_id":"b","answer_document_ids":["d"]}]`, string(many))
}

func TestRespondWantsExactlyOneAnswerAQuestion(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for _, answers := range [][]kycjwt.Answer{
		nil,
		{{QuestionID: "q"}},
		{{Text: new("x")}},
		{{QuestionID: "q", Text: new("x"), Bool: new(true)}},
		{{QuestionID: "q", OptionIDs: []string{}}},
		{{QuestionID: "q", Text: new("x")}, {QuestionID: "r"}},
	} {
		_, err := client.Respond(t.Context(), kycjwt.Person("1"), "q", answers)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	_, err := client.Respond(t.Context(), kycjwt.Owner{ID: "1"}, "q", []kycjwt.Answer{{QuestionID: "q", Text: new("x")}})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	require.ErrorIs(t, failure(client.Questionnaires(t.Context(), kycjwt.Owner{ID: "1"})), kyckit.ErrInvalid)
	require.ErrorIs(t, failure(client.Documents(t.Context(), kycjwt.Owner{ID: "1"})), kyckit.ErrInvalid)
	assert.Empty(t, fake.Requests(""))
}

func TestTypedAnswersOfTheWrongShapeAreDecodeErrors(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for _, body := range []string{``, `<html>`, `[]`, `7`, `{"id":7}`, `{"data":{"questions":"x"}}`} {
		fake.Fail("questionnaire", 1, kyctest.Fault{Status: 200, Body: body})
		_, err := client.Questionnaire(t.Context(), "1")
		require.ErrorIs(t, err, kyckit.ErrDecode, "%q", body)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	}
}
