package transport_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"code":"A"}`, "", "<html>", `{"code":1}`, `{"code":"1000000008"}`} {
		f.Add([]byte(seed), 400)
	}
	s := kyctest.NewServer(kyctest.Options{})
	f.Cleanup(s.Close)
	var status int
	var body []byte
	s.Handle("GET /thing/{id}", "thing", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: s.Client(), Retry: kyckit.Retry{MaxAttempts: 1}}, Explain: explain})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte, st int) {
		body, status = b, 400+((st%200)+200)%200
		_, err := c.Do(t.Context(), read("a"))
		var e *kyckit.Error
		if !errors.As(err, &e) || !bytes.Equal(e.Body(), b) {
			t.Fatalf("no typed error with the body: %v", err)
		}
		if len(b) > 70 && strings.Contains(err.Error(), string(b)) {
			t.Fatal("the error quotes the body")
		}
	})
}
