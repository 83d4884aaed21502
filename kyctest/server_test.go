package kyctest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newServer(o kyctest.Options) (*kyctest.Server, *atomic.Int32) {
	s, handled := kyctest.NewServer(o), new(atomic.Int32)
	s.Handle("POST /echo", "echo", func(w http.ResponseWriter, r *http.Request) {
		handled.Add(1)
		_, _ = io.Copy(w, r.Body)
	})
	return s, handled
}

func post(t *testing.T, s *kyctest.Server, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/echo?q=1", strings.NewReader(body))
	require.NoError(t, err)
	resp, err := s.Client().Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestServer(t *testing.T) {
	for name, o := range map[string]kyctest.Options{"loopback": {}, "tls": {TLS: true}, "memory": {InMemory: true}} {
		t.Run(name, func(t *testing.T) {
			s, handled := newServer(o)
			defer s.Close()
			status, body, err := post(t, s, "hello")
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "hello", body)
			all := s.Requests("echo")
			require.Len(t, all, 1)
			assert.Equal(t, "hello", string(all[0].Body))
			assert.Equal(t, "1", all[0].Query.Get("q"))
			assert.Equal(t, "/echo", all[0].Path)
			assert.Empty(t, s.Requests("other"))

			s.Fail("echo", 2, kyctest.Fault{Status: 503, Body: "later", Header: http.Header{"retry-after": {"1"}}})
			s.Fail("echo", 3, kyctest.Fault{Hangup: true})
			s.Fail("echo", 4, kyctest.Fault{LoseAnswer: true})
			s.Fail("echo", 5, kyctest.Fault{Status: 200, Body: "{", Truncate: true})
			_, _, err = post(t, s, "1")
			require.NoError(t, err)
			status, body, err = post(t, s, "2")
			require.NoError(t, err)
			assert.Equal(t, 503, status)
			assert.Equal(t, "later", body)
			before := handled.Load()
			_, _, err = post(t, s, "3")
			require.Error(t, err)
			assert.Equal(t, before, handled.Load(), "a hangup has no effect")
			_, _, err = post(t, s, "4")
			require.Error(t, err)
			assert.Equal(t, before+1, handled.Load(), "a lost answer has one")
			_, _, err = post(t, s, "5")
			require.Error(t, err)
			_, _, err = post(t, s, "6")
			require.NoError(t, err)

			s.Fail("echo", 0, kyctest.Fault{Status: 500})
			for range 2 {
				status, _, err = post(t, s, "x")
				require.NoError(t, err)
				assert.Equal(t, 500, status)
			}
			s.Heal()
			status, _, err = post(t, s, "x")
			require.NoError(t, err)
			assert.Equal(t, 200, status)
			assert.Equal(t, 10, s.Count("echo"))
		})
	}
}

func TestDelayInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(kyctest.Options{InMemory: true})
		defer s.Close()
		s.Fail("echo", 1, kyctest.Fault{Delay: time.Hour})
		began := time.Now()
		_, body, err := post(t, s, "late")
		require.NoError(t, err)
		assert.Equal(t, "late", body)
		assert.Equal(t, time.Hour, time.Since(began))
	})
}

func TestServeHTTPNeedsNoNetwork(t *testing.T) {
	s, handled := newServer(kyctest.Options{InMemory: true})
	defer s.Close()
	s.Fail("echo", 2, kyctest.Fault{Status: 503})
	for _, want := range []int{200, 503} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo", strings.NewReader("hello")))
		assert.Equal(t, want, rec.Code)
	}
	assert.EqualValues(t, 1, handled.Load())
	assert.Len(t, s.Requests("echo"), 2)
}

func TestDiscardKeepsNoBodies(t *testing.T) {
	s, _ := newServer(kyctest.Options{Discard: true})
	defer s.Close()
	_, _, err := post(t, s, "hello")
	require.NoError(t, err)
	assert.Empty(t, s.Requests("echo")[0].Body)
}

func ExampleServer() {
	s := kyctest.NewServer(kyctest.Options{})
	defer s.Close()
	s.Handle("GET /ping", "ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") })
	s.Fail("ping", 2, kyctest.Fault{Status: http.StatusServiceUnavailable})
	for range 3 {
		resp, err := s.Client().Get(s.URL + "/ping")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(resp.StatusCode)
		_ = resp.Body.Close()
	}
	fmt.Println(s.Count("ping"), "requests")
	// Output:
	// 200
	// 503
	// 200
	// 3 requests
}

// A call with a wrong method or path, or a stray slash, must show in the record
// of the test that made it.
func TestWhatNoRouteTakesIsRecorded(t *testing.T) {
	for name, o := range map[string]kyctest.Options{"loopback": {}, "memory": {InMemory: true}} {
		t.Run(name, func(t *testing.T) {
			s, handled := newServer(o)
			defer s.Close()
			s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for i, tc := range []struct {
				method, path string
				status       int
			}{
				{"GET", "/echo", http.StatusMethodNotAllowed},
				{"POST", "/echo/", http.StatusNotFound},
				{"POST", "/nowhere", http.StatusNotFound},
				{"POST", "//echo", http.StatusTemporaryRedirect},
			} {
				req, err := http.NewRequestWithContext(t.Context(), tc.method, s.URL+tc.path, strings.NewReader("sent"))
				require.NoError(t, err)
				resp, err := s.Client().Do(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, tc.status, resp.StatusCode, tc.path)
				all := s.Requests(kyctest.OpOther)
				require.Len(t, all, i+1, tc.path)
				assert.Equal(t, tc.method+tc.path+"sent", all[i].Method+all[i].Path+string(all[i].Body))
			}
			assert.Zero(t, s.Count("echo"))
			assert.Zero(t, handled.Load())
			s.Fail(kyctest.OpOther, 1, kyctest.Fault{Status: http.StatusBadGateway})
			resp, err := s.Client().Get(s.URL + "/nowhere")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
		})
	}
}

func TestARequestWithoutABodyOrWithTooMuch(t *testing.T) {
	s, handled := newServer(kyctest.Options{Discard: true})
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/echo", nil)
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r) // Body is nil
	assert.Equal(t, http.StatusOK, rec.Code)
	rec = httptest.NewRecorder()
	r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo", strings.NewReader("the rest never comes"))
	r.ContentLength = 128<<20 + 1
	s.ServeHTTP(rec, r)
	assert.Equal(t, http.StatusRequestEntityTooLarge, rec.Code)
	assert.EqualValues(t, 1, handled.Load())
	assert.Equal(t, 2, s.Count("echo"))
}

func TestAFaultWithoutStatusAnswersWith200(t *testing.T) {
	s, handled := newServer(kyctest.Options{})
	defer s.Close()
	s.Fail("echo", 1, kyctest.Fault{Body: "scripted"})
	s.Fail("echo", 2, kyctest.Fault{Truncate: true})
	status, body, err := post(t, s, "hello")
	require.NoError(t, err)
	assert.Equal(t, "200 scripted", fmt.Sprint(status, " ", body))
	_, _, err = post(t, s, "hello")
	require.Error(t, err)
	assert.Zero(t, handled.Load())
}
