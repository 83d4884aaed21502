package kycjwt_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

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
