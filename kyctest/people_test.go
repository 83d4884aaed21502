package kyctest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestAServerPromptsNobody(t *testing.T) {
	s, _ := newServer(kyctest.Options{})
	defer s.Close()
	var f kyctest.Fake = s
	assert.Empty(t, f.Prompts())
	require.ErrorIs(t, f.Answer("x", "approve"), kyctest.ErrNoPrompt)
	assert.Equal(t, []string{"echo", kyctest.OpOther}, f.Operations())
	s.Mount("/phone", kyctest.Phone(f))
	s.Mount(kyctest.AdminPath, kyctest.Admin(f))
	for path, want := range map[string]string{"/phone": "There is no request", "/_admin/transactions": "[]", "/_admin/requests": "[]"} {
		resp, err := s.Client().Get(s.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Contains(t, string(body), want)
	}
}

func TestResetForgetsTheRecordAndFaults(t *testing.T) {
	s, _ := newServer(kyctest.Options{})
	defer s.Close()
	token := s.IssueToken(time.Minute)
	s.Fail("echo", 0, kyctest.Fault{Status: 503})
	_, _, err := post(t, s, "x")
	require.NoError(t, err)
	s.Reset()
	assert.Zero(t, s.Count("echo"))
	assert.Empty(t, s.Requests(""))
	status, _, err := post(t, s, "x")
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.True(t, s.Living(token))
}

// A simulation decides by the number of the call; what Fail has set goes before.
func TestFaultsByNumber(t *testing.T) {
	s, _ := newServer(kyctest.Options{Fault: func(op string, n int) kyctest.Fault {
		if op == "echo" && n%2 == 0 {
			return kyctest.Fault{Status: 500 + n}
		}
		return kyctest.Fault{}
	}})
	defer s.Close()
	s.Fail("echo", 4, kyctest.Fault{Status: 429})
	var got []int
	for range 6 {
		status, _, err := post(t, s, "x")
		require.NoError(t, err)
		got = append(got, status)
	}
	assert.Equal(t, []int{200, 502, 200, 429, 200, 506}, got)
}

func TestAPromptIsNotPrinted(t *testing.T) {
	p := kyctest.Prompt{TransID: "planted-1", Random: "planted-2", NationalID: "planted-3"}
	leaktest.Silent(t, "a prompt", leaktest.Printed(p)+leaktest.Printed(&p), "planted")
}

// hostile is a fake whose provider lets people choose their ids.
type hostile struct{ *kyctest.Server }

func (hostile) Prompts() []kyctest.Prompt {
	return []kyctest.Prompt{{TransID: `"><script>x</script>`, Random: "<i>", NationalID: "<b>" + strings.Repeat("9", 10), Open: true}}
}

func TestThePhoneShowsNothingAsMarkup(t *testing.T) {
	s, _ := newServer(kyctest.Options{})
	defer s.Close()
	rec := httptest.NewRecorder()
	kyctest.Phone(hostile{s}).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "//evil.example/phone", nil))
	for _, tag := range []string{"<script", "<i>", "<b>"} {
		assert.NotContains(t, rec.Body.String(), tag)
	}
	assert.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'")
}

func FuzzScript(f *testing.F) {
	for _, seed := range []string{
		`{"op":"echo","n":2,"status":503}`, `[{"op":"echo","n":0,"delay":"1s"}]`, `[]`, `{`, `{"op":"echo","n":1,"header":{"A":"b"}}`, `null`, ` `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		s, _ := newServer(kyctest.Options{InMemory: true})
		defer s.Close()
		if err := kyctest.Script(s, script); err != nil {
			assert.NotEmpty(t, err.Error())
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo", strings.NewReader("x")))
			assert.Equal(t, 200, rec.Code, "what is refused sets nothing")
		}
	})
}

func ExamplePhone() {
	fake := kyctest.NewServer(kyctest.Options{}) // or a provider's fake
	defer fake.Close()
	fake.Mount("/phone", kyctest.Phone(fake))
	fake.Mount(kyctest.AdminPath, kyctest.Admin(fake))
	resp, err := fake.Client().Get(fake.URL + "/phone")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
