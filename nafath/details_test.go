package nafath_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// Upstream sends numbers as strings, addresses as arrays, and leaves fields out.
func TestPitfall9DataQuirks(t *testing.T) {
	fake, client := setup(t, nafathtest.Config{})
	fake.Fail("details", 1, kyctest.Fault{Status: 200, Body: `{"transId":"t","idNumber":2000000006,"userType":"1",
		"nationalityCode":"304","nationalAddress":[{"city":"null"}],"englishFirstName":null,"englishLastName":"Sample","more":{"x":1}}`})
	d, err := client.Details(t.Context(), "t")
	require.NoError(t, err)
	assert.Equal(t, "2000000006", d.IDNumber)
	assert.Equal(t, nafath.UserResident, *d.UserType)
	assert.Equal(t, 304, *d.NationalityCode)
	assert.JSONEq(t, `[{"city":"null"}]`, string(d.NationalAddress))
	assert.Equal(t, "Sample", d.EnglishName())
	assert.Contains(t, string(d.Raw), `"more"`)

	fake.Fail("details", 1, kyctest.Fault{Status: 200, Body: `{"transId":"t","idNumber":"1000000008","userType":0.0,"nationalityCode":""}`})
	d, err = client.Details(t.Context(), "t")
	require.NoError(t, err, "an empty code is none")
	assert.Equal(t, nafath.UserNational, *d.UserType)
	assert.Nil(t, d.NationalityCode)
	for _, code := range []string{`"SA"`, `1.5`, `1e300`, `true`, `{}`, `"NaN"`, `"Inf"`} {
		fake.Fail("details", 1, kyctest.Fault{Status: 200, Body: `{"transId":"t","idNumber":"1000000008","nationalityCode":` + code + `}`})
		d, err = client.Details(t.Context(), "t")
		require.NoError(t, err, "a code in another form refuses nobody: %s", code)
		assert.Nil(t, d.NationalityCode, code)
		assert.Contains(t, string(d.Raw), code)
	}
}

// TransId and idNumber decide who is verified. A detail in a form that nobody
// documents stays empty, is in Raw, and costs no second call.
func TestAnApprovedPersonIsNotRefusedForADetail(t *testing.T) {
	const odd = `"nationalityCode":"SAU","userType":"National","gender":false,"dateOfBirthG":{"year":1990},"idExpiryDateG":-315619200000,
		"englishFirstName":["Noura"],"englishSecondName":1.5,"englishThirdName":true,"englishLastName":"Sample","nationalityDesc":{},"nationalAddress":7`
	for name, body := range map[string]string{
		"bare":     `{"transId":%q,"idNumber":%q,` + odd + `}`,
		"envelope": `{"version":null,"statusCode":200,"messages":{"a":"b"},"code":{},"result":{"transId":%q,"idNumber":%q,` + odd + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, client := setup(t, nafathtest.Config{Options: kyctest.Options{InMemory: true}})
				poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
				require.NoError(t, err)
				defer func() { require.NoError(t, poller.Close()) }()
				d, err := poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
					fake.Fail("details", 0, kyctest.Fault{Status: 200, Body: fmt.Sprintf(body, tx.TransID, citizen)})
					require.NoError(t, fake.Approve(tx.TransID, tx.Random))
				})
				require.NoError(t, err)
				assert.Equal(t, 1, fake.Count("details"))
				assert.Equal(t, "Sample", d.EnglishName())
				assert.Nil(t, d.NationalityCode)
				assert.Nil(t, d.UserType)
				assert.Empty(t, d.Gender+d.DateOfBirthG+d.IDExpiryDateG+d.NationalityDesc)
				assert.JSONEq(t, `7`, string(d.NationalAddress))
				assert.Contains(t, string(d.Raw), `"SAU"`)
			})
		})
	}
}

// Whose details they are must be told in so many words.
func TestDetailsThatNameNobodyAreRefused(t *testing.T) {
	for _, body := range []string{
		`{"transId":"t","idNumber":["1000000008"]}`, `{"transId":"t","idNumber":{"nin":"1000000008"}}`, `{"transId":"t","idNumber":true}`,
		`{"transId":null,"idNumber":"1000000008"}`, `{"transId":{"id":"t"},"idNumber":"1000000008"}`, `{"transId":"t","idNumber":1.5}`,
	} {
		fake, client := setup(t, nafathtest.Config{})
		fake.Fail("details", 0, kyctest.Fault{Status: 200, Body: body})
		_, err := client.Details(t.Context(), "t")
		require.ErrorIs(t, err, kyckit.ErrDecode, body)
	}
}
