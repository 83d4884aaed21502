package auth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
)

func TestBearerGoesToNoOtherHost(t *testing.T) {
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
	}))
	defer other.Close()
	var here *httptest.Server
	here = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/home":
			http.Redirect(w, r, here.URL+"/", http.StatusFound)
		default:
			_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		}
	}))
	defer here.Close()
	client := &http.Client{Transport: auth.NewTransport(here.Client().Transport, auth.Static(kyckit.NewSecret("abc")))}
	status, _ := post(t, client, here.URL+"/away", "x")
	assert.Equal(t, 200, status)
	assert.Zero(t, leaked.Load())
	_, seen := post(t, client, here.URL+"/home", "x")
	assert.Equal(t, "Bearer abc", seen)
}

func TestBearerGoesToNoPlainHTTP(t *testing.T) {
	rt := auth.NewTransport(roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return nil, io.EOF
	}), auth.Static(kyckit.NewSecret("abc")))
	body := &closable{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://kyc.example.test/", body)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	require.Nil(t, resp)
	var notSent *transport.NotSentError
	require.ErrorAs(t, err, &notSent)
	assert.True(t, body.closed, "a RoundTripper must close the body on errors too")
}

func TestBearerGoesToItsHostsOnly(t *testing.T) {
	var sent []string
	rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.URL.Host)
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	}), auth.Static(kyckit.NewSecret("abc")), "API.example.test", "other.example.test:8443")
	for url, ok := range map[string]bool{
		"https://api.example.test/":         true,
		"https://api.example.test:443/":     true,
		"https://Api.Example.Test/":         true,
		"https://api.example.test:8443/":    false,
		"https://other.example.test:8443/":  true,
		"https://other.example.test/":       false,
		"https://api.example.test.evil/":    false,
		"https://evil/api.example.test":     false,
		"https://api.example.test@evil/":    false,
		"http://127.0.0.1/api.example.test": false,
	} {
		sent = nil
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		if ok {
			require.NoError(t, err, url)
			require.Len(t, sent, 1, url)
		} else {
			require.ErrorIs(t, err, kyckit.ErrInvalid, url)
			require.Empty(t, sent, url)
		}
	}
}
