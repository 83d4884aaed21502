package kycjwt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
)

// refused returns the fields that err says were refused.
func refused(t *testing.T, err error) []kycjwt.FieldError {
	t.Helper()
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	var v *kycjwt.ValidationError
	require.ErrorAs(t, err, &v)
	return v.Fields()
}

func TestPitfallDetailIsAListInBothGenerations(t *testing.T) {
	for pydantic1, want := range map[bool]string{true: "value_error.missing", false: "missing"} {
		_, client := start(t, kycjwttest.Config{Pydantic1: pydantic1})
		err := client.Post(t.Context(), "/persons", map[string]string{"external_id": "secret-one"}, nil)
		fields := refused(t, err)
		require.Len(t, fields, len(kycjwttest.PersonFields())-1)
		assert.Equal(t, "body.first_name", fields[0].Path())
		assert.Equal(t, want, fields[0].Type)
		assert.NotEmpty(t, fields[0].Message())
		assert.NotContains(t, err.Error(), "secret-one")
		e := asError(t, err)
		assert.Equal(t, 422, e.StatusCode)
		assert.Equal(t, !pydantic1, strings.Contains(string(e.Body()), "secret-one"), "the newer generation echoes")
	}
}

func TestA422OfTheLoginNamesItsFields(t *testing.T) {
	for _, body := range []string{
		`{"detail":[{"loc":["body","username"],"msg":"field required","type":"value_error.missing"}]}`,
		`{"detail":[{"type":"missing","loc":["body","username"],"msg":"Field required","input":null,"url":"https://errors.example"}]}`,
	} {
		fake, client := start(t, kycjwttest.Config{})
		answerWith(fake, "login", 422, body)
		err := read(t.Context(), client)
		fields := refused(t, err)
		require.Len(t, fields, 1)
		assert.Equal(t, "body.username", fields[0].Path())
		var login *kyckit.Error
		require.ErrorAs(t, errors.Unwrap(asError(t, err).Err), &login, "the login's own error stays in the chain")
		assert.Equal(t, "auth", login.Provider)
	}
}

func TestPitfallLocHoldsIntegers(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	made, err := client.CreatePerson(t.Context(), person())
	require.NoError(t, err)
	_, err = client.Respond(t.Context(), kycjwt.Person(made.ID), kycjwttest.QuestionnaireID, []kycjwt.Answer{
		{QuestionID: "question-text", Text: new("fine")}, {QuestionID: "unknown", Text: new("not fine")},
	})
	fields := refused(t, err)
	require.Len(t, fields, 1)
	assert.Equal(t, "body.answers[1].question_id", fields[0].Path())
	assert.Equal(t, []kycjwt.PathElement{
		{Name: "body", Index: -1}, {Name: "answers", Index: -1}, {Index: 1}, {Name: "question_id", Index: -1},
	}, fields[0].Location)
	assert.Empty(t, fake.Responses())
}

func TestDetailInEveryShape(t *testing.T) {
	for _, c := range []struct {
		name, body, code, message string
		fields                    []string
	}{
		{"code", `{"detail":"REGISTER_USER_ALREADY_EXISTS"}`, "REGISTER_USER_ALREADY_EXISTS", "REGISTER_USER_ALREADY_EXISTS", nil},
		{"sentence", `{"detail":"Mirelle is unknown"}`, "", "Mirelle is unknown", nil},
		{"a name", `{"detail":"Vantongeren"}`, "", "Vantongeren", nil},
		{"object", `{"detail":{"code":"REGISTER_INVALID_PASSWORD","reason":"too short"}}`, "REGISTER_INVALID_PASSWORD", "too short", nil},
		{"object of other types", `{"detail":{"code":7,"reason":["a"]}}`, "", "", nil},
		{"missing", `{}`, "", "", nil},
		{"null", `{"detail":null}`, "", "", nil},
		{"number", `{"detail":7}`, "", "", nil},
		{"no object", `[1]`, "", "", nil},
		{"HTML", `<html>LOGIN_BAD_CREDENTIALS</html>`, "", "", nil},
		{"nothing", ``, "", "", nil},
		{"empty list", `{"detail":[]}`, "", "", nil},
		{
			"strange items", `{"detail":[7,null,"x",{"loc":"body"},{"loc":[null,1.5,-1,{},"` + strings.Repeat("n", 80) + `","a b"]}]}`, "", "",
			[]string{"", "", "", "", "?.?.?.?.?.?"},
		},
		{"a name in capitals", `{"detail":"VANTONGEREN"}`, "", "VANTONGEREN", nil},
		{"a name as the code", `{"detail":{"code":"VANTONGEREN"}}`, "", "", nil},
		{"a passport's number", `{"detail":"AB1234567"}`, "", "AB1234567", nil},
		{"long digits are no code", `{"detail":"ID_1234567890123"}`, "", "ID_1234567890123", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, client := start(t, kycjwttest.Config{})
			answerWith(fake, "questionnaire", 422, c.body)
			err := read(t.Context(), client)
			e := asError(t, err)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			assert.Equal(t, c.code, e.Code)
			assert.Equal(t, c.message, e.Message())
			assert.Equal(t, c.body, string(e.Body()))
			var v *kycjwt.ValidationError
			if !errors.As(err, &v) {
				assert.Empty(t, c.fields)
				return
			}
			var paths []string
			for _, f := range v.Fields() {
				paths = append(paths, f.Path())
			}
			assert.Equal(t, c.fields, paths)
		})
	}
}

func TestAHugeListOfRefusedFieldsIsCut(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	deep := `{"loc":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 500), ",") + `],"msg":"m","type":"t"}`
	answerWith(fake, "questionnaire", 422, `{"detail":[`+strings.TrimSuffix(strings.Repeat(deep+",", 500), ",")+`]}`)
	fields := refused(t, read(t.Context(), client))
	assert.Len(t, fields, 100)
	assert.Len(t, fields[0].Location, 32)
}
