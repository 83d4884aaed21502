package nafath_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// FuzzAnswers feeds any body to all three calls: each ends in a value that has
// what it must have, or in a typed error.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"version":null,"statusCode":200,"messages":["ok"],"result":{"transId":"t-1","random":"07"}}`,
		`{"statusCode":200,"messages":[],"result":{"status":"COMPLETED"}}`,
		`{"statusCode":"422","messages":"400-034-051","result":null}`,
		`{"transId":"t-1","idNumber":1000000008,"userType":"1","nationalAddress":[{}],"nationalityCode":null}`,
		`{"result":{"transId":"t-1","idNumber":"1000000008"}}`,
		`{"result":{"status":"WAITING","STATUS":"COMPLETED"}}`, `<html>`, ``, `null`, `[[[[`,
	} {
		f.Add([]byte(seed), true)
	}
	f.Add([]byte(`{"statusCode":500,"messages":["x"],"code":7}`), false)

	var body []byte
	var status int
	s := kyctest.NewServer(kyctest.Options{Discard: true})
	f.Cleanup(s.Close)
	s.Handle("/", "any", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	client, err := nafath.New(nafath.Config{
		BaseURL: s.URL, Auth: auth.Static(kyckit.NewSecret("token")),
		HTTP: kyckit.HTTP{Client: s.Client(), Retry: kyckit.Retry{MaxAttempts: 1}},
	})
	require.NoError(f, err)

	f.Fuzz(func(t *testing.T, b []byte, good bool) {
		if body, status = b, http.StatusOK; !good {
			status = http.StatusBadRequest
		}
		typed := func(err error) {
			var e *kyckit.Error
			if !errors.As(err, &e) || e.Kind == nil {
				t.Fatalf("not a typed error: %v", err)
			}
		}
		tx, err := client.Request(t.Context(), citizen)
		if err != nil {
			typed(err)
		} else if !good || tx.TransID == "" || tx.Random == "" {
			t.Fatalf("a transaction out of %q", b)
		}
		st, err := client.Status(t.Context(), sample)
		if err != nil {
			typed(err)
		} else if !good || st == "" {
			t.Fatalf("a status out of %q", b)
		}
		d, err := client.Details(t.Context(), "t-1")
		if err != nil {
			typed(err)
		} else if !good || d.TransID == "" || d.IDNumber == "" {
			t.Fatalf("details out of %q", b)
		}
	})
}
