package kycjwt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

// all reads a list that must not fail.
func all[T any](t *testing.T, list iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range list {
		require.NoError(t, err)
		out = append(out, v)
	}
	return out
}

// failure returns the error that ends a list.
func failure[T any](list iter.Seq2[T, error]) (err error) {
	for _, err = range list {
	}
	return err
}

func TestCreatePersonSendsTheDocumentedFields(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	p := person()
	p.Gender = kycjwt.GenderNotKnown
	made, err := client.CreatePerson(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, []string{made.ID}, fake.Persons())
	assert.JSONEq(t, string(fake.Person(made.ID)), string(made.Raw))

	var sent map[string]any
	require.NoError(t, json.Unmarshal(fake.Requests("create person")[0].Body, &sent))
	for _, field := range kycjwttest.PersonFields() {
		assert.Contains(t, sent, field)
	}
	assert.Len(t, sent, len(kycjwttest.PersonFields()), "optional fields are left out when empty")
	assert.InDelta(t, 0, sent["gender"], 0, "0 is a gender by ISO 5218")
}

func TestCreatePersonRefusesWhatTheProviderWould(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for field, change := range map[string]func(*kycjwt.PersonParams){
		"ExternalID":              func(p *kycjwt.PersonParams) { p.ExternalID = "" },
		"FirstName":               func(p *kycjwt.PersonParams) { p.FirstName = "" },
		"LastName":                func(p *kycjwt.PersonParams) { p.LastName = "" },
		"Nationality":             func(p *kycjwt.PersonParams) { p.Nationality = "MT" },
		"OtherNationalities":      func(p *kycjwt.PersonParams) { p.OtherNationalities = []string{"ita"} },
		"Gender":                  func(p *kycjwt.PersonParams) { p.Gender = 3 },
		"BirthCountry":            func(p *kycjwt.PersonParams) { p.BirthCountry = "" },
		"BirthPlace":              func(p *kycjwt.PersonParams) { p.BirthPlace = "" },
		"BirthDate":               func(p *kycjwt.PersonParams) { p.BirthDate = "1983-02-29" },
		"StreetName":              func(p *kycjwt.PersonParams) { p.StreetName = "" },
		"StreetNumber":            func(p *kycjwt.PersonParams) { p.StreetNumber = "" },
		"City":                    func(p *kycjwt.PersonParams) { p.City = "" },
		"PostalCode":              func(p *kycjwt.PersonParams) { p.PostalCode = "" },
		"Country":                 func(p *kycjwt.PersonParams) { p.Country = "Malta" },
		"Phone":                   func(p *kycjwt.PersonParams) { p.Phone = "0035699000017" },
		"Email":                   func(p *kycjwt.PersonParams) { p.Email = "" },
		"TaxIdentificationNumber": func(p *kycjwt.PersonParams) { p.TaxIdentificationNumber = "" },
		"TaxCountry":              func(p *kycjwt.PersonParams) { p.TaxCountry = "" },
	} {
		p := person()
		change(&p)
		_, err := client.CreatePerson(t.Context(), p)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		assert.True(t, strings.HasPrefix(asError(t, err).Reason, field+" "), "%s: %s", field, asError(t, err).Reason)
	}
	for _, phone := range []string{"+", "+1", "+0123456", "+1234567890123456", "+12 345", "+12345x"} {
		p := person()
		p.Phone = phone
		_, err := client.CreatePerson(t.Context(), p)
		require.ErrorIs(t, err, kyckit.ErrInvalid, phone)
	}
	assert.Empty(t, fake.Requests(""))
}

func TestAnAnswerToACreationIsNotGuessed(t *testing.T) {
	for body, id := range map[string]string{
		`{"id":"p-1"}`: "p-1", `{"id":7}`: "", `{"person":{"id":"p-1"}}`: "", `"p-1"`: "", `[]`: "", `null`: "", `7`: "", ``: "",
	} {
		fake, client := start(t, kycjwttest.Config{})
		fake.Fail("create person", 1, kyctest.Fault{Status: 201, Body: body})
		made, err := client.CreatePerson(t.Context(), person())
		require.NoError(t, err, body)
		assert.Equal(t, id, made.ID)
		assert.Equal(t, body, string(made.Raw))
	}
}

func TestEntitlementsInBothForms(t *testing.T) {
	for _, older := range []bool{false, true} {
		fake, client := start(t, kycjwttest.Config{OlderLists: older, PageSize: 2}, func(c *kycjwt.Config) {
			if older {
				c.EntitlementLists = kycjwt.EntitlementsByPath
			}
		})
		for i := range 4 {
			fake.AddEntitlement(kycjwt.Entitlement{ID: fmt.Sprint("e-", i), Name: "posof_level_2"})
		}
		for owner, word := range map[kycjwt.OwnerType]string{kycjwt.OwnerPerson: "persons", kycjwt.OwnerCorporate: "corporates"} {
			got := all(t, client.Entitlements(t.Context(), owner))
			require.Len(t, got, 5)
			assert.Equal(t, "onboarding", got[0].Name)
			assert.Equal(t, kycjwttest.QuestionnaireID, got[0].Questionnaires[0].QuestionnaireID)
			assert.Contains(t, string(got[0].Raw), `"entitlement-onboarding"`)
			sent := fake.Requests("entitlements")
			last := sent[len(sent)-1]
			if older {
				assert.Equal(t, "/api/v1/entitlements/"+word, last.Path)
				assert.Empty(t, last.Query.Get("owner_type"))
			} else {
				assert.Equal(t, "/api/v1/entitlements", last.Path)
				assert.Equal(t, string(owner), last.Query.Get("owner_type"))
			}
		}
		require.ErrorIs(t, failure(client.Entitlements(t.Context(), "ghost")), kyckit.ErrInvalid)
	}
}

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

func TestADocumentOfUndocumentedTypesLosesNoList(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	answerWith(fake, "documents", 200, `{"items":[{"id":7,"owner_id":8},{"id":"a","owner_id":null,"owner_type_id":"b"},{"id":[],"size":"big"},{}]}`)
	who := owner(t, client)
	var got [][2]string
	for d, err := range client.Documents(t.Context(), who) {
		require.NoError(t, err)
		assert.NotEmpty(t, d.Raw)
		got = append(got, [2]string{d.ID, d.OwnerID})
	}
	assert.Equal(t, [][2]string{{"7", "8"}, {"a", "b"}, {}, {}}, got)
}

func TestADocumentWithoutRawStillEncodes(t *testing.T) {
	encoded, err := json.Marshal(kycjwt.Document{ID: "d", OwnerID: "o"})
	require.NoError(t, err)
	var back kycjwt.Document
	require.NoError(t, json.Unmarshal(encoded, &back))
	assert.Equal(t, "o", back.OwnerID)
}

func TestTriggerEntitlementSendsTheCallersBody(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	_, err := client.TriggerEntitlement(t.Context(), who.ID, json.RawMessage(`{"entitlement_id":"e-1"}`))
	require.NoError(t, err)
	assert.Equal(t, 1, fake.Triggers())
	assert.JSONEq(t, `{"entitlement_id":"e-1"}`, string(fake.Requests("trigger entitlement")[0].Body))

	fake.Fail("trigger entitlement", 1, kyctest.Fault{LoseAnswer: true})
	_, err = client.TriggerEntitlement(t.Context(), who.ID, nil)
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Equal(t, 2, fake.Triggers())
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

func TestDocumentsAreReadInBothSpellings(t *testing.T) {
	for _, older := range []bool{false, true} {
		_, client := start(t, kycjwttest.Config{OlderLists: older})
		who := owner(t, client)
		made, err := client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{
			Category: "proofOfAddress", Name: "a", Reader: strings.NewReader("x"),
		})
		require.NoError(t, err)
		list := all(t, client.Documents(t.Context(), who))
		require.Len(t, list, 1)
		one, err := client.Document(t.Context(), who, made.ID)
		require.NoError(t, err)
		for _, d := range []kycjwt.Document{list[0], *one} {
			assert.Equal(t, made.ID, d.ID)
			assert.Equal(t, who.ID, d.OwnerID)
			encoded, err := json.Marshal(d)
			require.NoError(t, err)
			assert.JSONEq(t, string(d.Raw), string(encoded))
		}
		link, err := client.DocumentLink(t.Context(), who, made.ID)
		require.NoError(t, err)
		assert.Equal(t, "https://files.example/"+made.ID+"?signature=fake", link.URL.Reveal())
		_, err = client.Document(t.Context(), who, "unknown")
		require.ErrorIs(t, err, kyckit.ErrNotFound)
	}
}

func TestADownloadLinkIsFoundOnlyWhereItIsUnambiguous(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for body, want := range map[string]string{
		`"https://f.example/a?s=1"`:                                          "https://f.example/a?s=1",
		`{"download_link":"https://f.example/a","expires":"soon"}`:           "https://f.example/a",
		`{"a":"https://f.example/a","b":"https://f.example/b"}`:              "",
		`{"url":"http://f.example/a"}`:                                       "",
		`{"url":"javascript:alert(1)"}`:                                      "",
		`{"url":{"deep":"https://f.example/a"}}`:                             "",
		`["https://f.example/a"]`:                                            "",
		`null`:                                                               "",
		`{"file_name":"passport.jpg","link":"https://f.example/x","n":null}`: "https://f.example/x",
	} {
		fake.Fail("document link", 1, kyctest.Fault{Status: 200, Body: body})
		link, err := client.DocumentLink(t.Context(), kycjwt.Person("1"), "2")
		require.NoError(t, err, body)
		assert.Equal(t, want, link.URL.Reveal(), body)
		assert.JSONEq(t, body, string(link.Raw))
	}
}

func TestPitfallDeleteWebhookTakesItsIDInTheQuery(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	ctx := t.Context()
	hook, err := client.RegisterWebhook(ctx, kycjwt.WebhookParams{URL: "https://us.example/kyc?x=1"})
	require.NoError(t, err)
	assert.True(t, hook.IncludeAllEvents)
	assert.Equal(t, fake.PublicKey(), hook.PublicKey, "pitfall: the key is kept at registration")
	some, err := client.RegisterWebhook(ctx, kycjwt.WebhookParams{
		URL: "https://us.example/kyc", EventTypes: []kycjwt.EventType{kycjwt.EventIDVFailed, "later"},
	})
	require.NoError(t, err)
	assert.False(t, some.IncludeAllEvents)
	assert.Equal(t, []kycjwt.EventType{kycjwt.EventIDVFailed, "later"}, some.EventTypes)
	require.Len(t, all(t, client.Webhooks(ctx)), 2)

	require.NoError(t, client.DeleteWebhook(ctx, hook.ID))
	sent := fake.Requests("delete webhook")[0]
	assert.Equal(t, "/api/v1/webhooks", sent.Path)
	assert.Equal(t, hook.ID, sent.Query.Get("webhook_id"))
	left := all(t, client.Webhooks(ctx))
	require.Len(t, left, 1)
	assert.Equal(t, some.ID, left[0].ID)
	require.ErrorIs(t, client.DeleteWebhook(ctx, hook.ID), kyckit.ErrNotFound)
	require.ErrorIs(t, client.DeleteWebhook(ctx, ""), kyckit.ErrInvalid)
}

func TestPitfallALostPublicKeyIsAnError(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for _, body := range []string{`{"id":"1"}`, `{"id":"1","public_key":"AAAA"}`, `{"id":"1","public_key":7}`, ``, `<html>`} {
		fake.Fail("register webhook", 1, kyctest.Fault{Status: 201, Body: body})
		_, err := client.RegisterWebhook(t.Context(), kycjwt.WebhookParams{URL: "https://us.example"})
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "a registration without its key may exist")
		require.ErrorIs(t, err, kyckit.ErrDecode)
	}
	count := fake.Count("register webhook")
	for _, u := range []string{"", "http://us.example", "us.example", "https://", "ftp://us.example", "https://a b"} {
		_, err := client.RegisterWebhook(t.Context(), kycjwt.WebhookParams{URL: u})
		require.ErrorIs(t, err, kyckit.ErrInvalid, u)
	}
	assert.Equal(t, count, fake.Count("register webhook"))
}

func TestIDsCannotChangeThePath(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	ctx := context.WithoutCancel(t.Context())
	for _, id := range []string{"", ".", "..", "../webhooks", "a/b", `a\b`, "%2e%2e%2f"} {
		_, err := client.Questionnaire(ctx, id)
		require.ErrorIs(t, err, kyckit.ErrInvalid, id)
		_, err = client.Document(ctx, kycjwt.Person("1"), id)
		require.ErrorIs(t, err, kyckit.ErrInvalid, id)
		_, err = client.DocumentLink(ctx, kycjwt.Person(id), "1")
		require.ErrorIs(t, err, kyckit.ErrInvalid, id)
		_, err = client.TriggerEntitlement(ctx, id, nil)
		require.ErrorIs(t, err, kyckit.ErrInvalid, id)
		require.ErrorIs(t, failure(client.Documents(ctx, kycjwt.Person(id))), kyckit.ErrInvalid, id)
		if id != "" { // no id means the questionnaires of all
			require.ErrorIs(t, failure(client.Questionnaires(ctx, kycjwt.Person(id))), kyckit.ErrInvalid, id)
		}
	}
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

// Registrations and entitlements inform: one odd member loses no list.
func TestAnInformativeMemberOfAnotherFormLosesNothing(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	answerWith(fake, "webhooks", 200, `{"items":[{"id":"w-1","url":7,"event_types":"all","include_all_events":"yes","key_id":"k"},{"id":"w-2"}]}`)
	hooks := all(t, client.Webhooks(t.Context()))
	require.Len(t, hooks, 2)
	assert.Equal(t, "w-1", hooks[0].ID)
	assert.Equal(t, "k", hooks[0].KeyID)
	assert.Empty(t, hooks[0].URL)
	assert.Contains(t, string(hooks[0].Raw), `"url":7`)

	answerWith(fake, "entitlements", 200, `{"items":[{"id":"e-1","created_at":17,"questionnaires":[{"questionnaire_id":"q","position":"first"}]}]}`)
	got := all(t, client.Entitlements(t.Context(), kycjwt.OwnerPerson))
	require.Len(t, got, 1)
	assert.Equal(t, "e-1", got[0].ID)
	assert.Equal(t, "q", got[0].Questionnaires[0].QuestionnaireID)
	assert.Empty(t, got[0].CreatedAt)

	fake.Heal()
	answerWith(fake, "webhooks", 200, `{"items":["none"]}`)
	require.ErrorIs(t, failure(client.Webhooks(t.Context())), kyckit.ErrDecode)
}

// What an answer names is what was asked for.
func TestAnAnswerAboutAnotherThingIsRefused(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	ctx := t.Context()
	who := owner(t, client)
	for body, own := range map[string]bool{
		`{"id":"d-1","owner_id":"` + who.ID + `"}`:      true,
		`{"id":"d-1","owner_type_id":"` + who.ID + `"}`: true,
		`{"id":"d-1"}`: true,
		`{"name":"x"}`: true,
		`{"id":"d-2","owner_id":"` + who.ID + `"}`: false,
		`{"id":"d-1","owner_id":"somebody"}`:       false,
		`{"id":"d-1","owner_type_id":"somebody"}`:  false,
		`{"owner_id":7}`:                           false,
	} {
		fake.Fail("document", 1, kyctest.Fault{Status: 200, Body: body})
		d, err := client.Document(ctx, who, "d-1")
		if own {
			require.NoError(t, err, body)
			continue
		}
		require.ErrorIs(t, err, kyckit.ErrDecode, body)
		assert.Nil(t, d)
	}
	fake.Fail("questionnaire", 1, kyctest.Fault{Status: 200, Body: `{"id":"q-2"}`})
	_, err := client.Questionnaire(ctx, "q-1")
	require.ErrorIs(t, err, kyckit.ErrDecode)
}

func TestANilOrZeroClientIsRefused(t *testing.T) {
	for _, c := range []*kycjwt.Client{nil, {}} {
		ctx := t.Context()
		_, err := c.CreatePerson(ctx, person())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = c.Document(ctx, kycjwt.Person("1"), "1")
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		require.ErrorIs(t, c.Get(ctx, "/persons", nil, nil), kyckit.ErrInvalid)
		require.ErrorIs(t, c.DeleteWebhook(ctx, "1"), kyckit.ErrInvalid)
		require.ErrorIs(t, failure(c.Entitlements(ctx, kycjwt.OwnerPerson)), kyckit.ErrInvalid)
		require.ErrorIs(t, failure(c.Questionnaires(ctx, kycjwt.Person("1"))), kyckit.ErrInvalid)
		require.ErrorIs(t, failure(c.Documents(ctx, kycjwt.Person("1"))), kyckit.ErrInvalid)
		require.ErrorIs(t, failure(c.Webhooks(ctx)), kyckit.ErrInvalid)
		require.ErrorIs(t, failure(kycjwt.List[json.RawMessage](ctx, c, "/webhooks", nil)), kyckit.ErrInvalid)
	}
}
