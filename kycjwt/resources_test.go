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
