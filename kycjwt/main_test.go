package kycjwt_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a fake on loopback and a client of it.
func start(t *testing.T, cfg kycjwttest.Config, change ...func(*kycjwt.Config)) (*kycjwttest.Server, *kycjwt.Client) {
	t.Helper()
	fake := kycjwttest.NewServer(cfg)
	t.Cleanup(fake.Close)
	return fake, clientOf(t, fake, change...)
}

// startInMemory is start inside a synctest bubble.
func startInMemory(t *testing.T, cfg kycjwttest.Config, change ...func(*kycjwt.Config)) (*kycjwttest.Server, *kycjwt.Client) {
	t.Helper()
	cfg.Options = kyctest.Options{InMemory: true}
	return start(t, cfg, change...)
}

func clientOf(t *testing.T, fake *kycjwttest.Server, change ...func(*kycjwt.Config)) *kycjwt.Client {
	t.Helper()
	cfg := fake.ClientConfig()
	for _, f := range change {
		f(&cfg)
	}
	client, err := kycjwt.New(cfg)
	require.NoError(t, err)
	return client
}

// asError returns the *kyckit.Error in err.
func asError(t *testing.T, err error) *kyckit.Error {
	t.Helper()
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "kycjwt", e.Provider)
	return e
}

func person() kycjwt.PersonParams {
	return kycjwt.PersonParams{
		ExternalID: "customer-17", FirstName: "Mirelle", LastName: "Vantongeren", Nationality: "MLT",
		Gender: kycjwt.GenderFemale, BirthCountry: "MLT", BirthPlace: "Zejtun", BirthDate: "1984-02-29",
		StreetName: "Triq il-Hafna", StreetNumber: "12b", City: "Zejtun", PostalCode: "ZTN 1901", Country: "MLT",
		Phone: "+35699000017", Email: "mirelle@mail.example", TaxIdentificationNumber: "TIN-4471-X", TaxCountry: "MLT",
	}
}

// answerWith makes every call of op answer with status and body.
func answerWith(fake *kycjwttest.Server, op string, status int, body string) {
	fake.Fail(op, 0, kyctest.Fault{Status: status, Body: body})
}
