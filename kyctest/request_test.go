package kyctest_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
)

func TestReadJSON(t *testing.T) {
	for _, tc := range []struct {
		contentType, body string
		want              bool
	}{
		{"application/json", `{"a":"x"}`, true},
		{"Application/JSON; charset=UTF-8", ` {"a":"x","b":2} `, true},
		{"application/json; charset=utf-16", `{"a":"x"}`, false},
		{"text/json", `{"a":"x"}`, false},
		{"", `{"a":"x"}`, false},
		{"application/json", `{"a":"x"}{}`, false},
		{"application/json", `{"a":"x","a":"y"}`, false},
		{"application/json", `{"a":"x","A":"y"}`, false},
		{"application/json", `{"a":1}`, false},
		{"application/json", "{\"a\":\"\xff\"}", false},
		{"application/json", ``, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.contentType)
		var in struct {
			A string `json:"a"`
		}
		assert.Equal(t, tc.want, kyctest.ReadJSON(r, &in), "%s %s", tc.contentType, tc.body)
		if tc.want {
			assert.Equal(t, "x", in.A)
		}
	}
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer s.Close()
		first, second := s.IssueToken(time.Minute), s.IssueToken(time.Hour)
		s.AddToken("own", time.Time{})
		assert.NotEqual(t, first, second)
		assert.True(t, s.Living(first))
		assert.False(t, s.Living("other"))
		assert.False(t, s.Living(""))
		time.Sleep(time.Minute)
		assert.False(t, s.Living(first), "its life is over")
		assert.True(t, s.Living(second))
		s.Revoke(second)
		assert.False(t, s.Living(second))
		time.Sleep(1000 * time.Hour)
		assert.True(t, s.Living("own"))
		s.RevokeTokens()
		assert.False(t, s.Living("own"))
	})
}

func TestBearer(t *testing.T) {
	for _, tc := range []struct {
		want   string
		header []string
	}{
		{"x", []string{"Bearer x"}},
		{"x", []string{"bearer x"}},
		{"", nil},
		{"", []string{""}},
		{"", []string{"Bearer"}},
		{"", []string{"x"}},
		{"", []string{"Basic x"}},
		{"", []string{"Bearer  x"}},
		{"", []string{"Bearer x y"}},
		{"", []string{"Bearer x", "Bearer x"}},
	} {
		r := &http.Request{Header: http.Header{"Authorization": tc.header}}
		assert.Equal(t, tc.want, kyctest.Bearer(r), "%q", tc.header)
	}
}

func TestListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, _ := newServer(kyctest.Options{Listener: ln})
	assert.Equal(t, "http://"+ln.Addr().String(), s.URL)
	_, body, err := post(t, s, "hello")
	require.NoError(t, err)
	assert.Equal(t, "hello", body)
	s.Close()
	again, err := net.Listen("tcp", ln.Addr().String())
	require.NoError(t, err, "Close frees the address")
	require.NoError(t, again.Close())
}

// The server may demand what its own client does not show.
func TestClientCertificatesAreDemanded(t *testing.T) {
	s, handled := newServer(kyctest.Options{TLSConfig: &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}})
	defer s.Close()
	assert.True(t, strings.HasPrefix(s.URL, "https://"))
	_, _, err := post(t, s, "hello")
	require.Error(t, err)
	assert.Zero(t, handled.Load())
}

func TestHTTP2(t *testing.T) {
	for name, o := range map[string]kyctest.Options{"tls": {TLS: true, HTTP2: true}, "memory": {InMemory: true, HTTP2: true}} {
		t.Run(name, func(t *testing.T) {
			s := kyctest.NewServer(o)
			defer s.Close()
			s.Handle("POST /echo", "echo", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Proto)) })
			_, body, err := post(t, s, "")
			require.NoError(t, err)
			assert.Equal(t, "HTTP/2.0", body)
		})
	}
}
