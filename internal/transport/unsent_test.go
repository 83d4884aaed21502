package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// Without a connection nothing can have been sent, however the call ended.
func TestNothingIsSentWithoutAConnection(t *testing.T) {
	for name, dialled := range map[string]func(context.Context) (net.Conn, error){
		"no answer to the dial": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"no TLS handshake": func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = server.Read(make([]byte, 10_000)) }()
			return client, nil
		},
		"no TLS": func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				_, _ = server.Read(make([]byte, 10_000))
				_, _ = server.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				_ = server.Close()
			}()
			return client, nil
		},
		"an error of its own": func(context.Context) (net.Conn, error) { return nil, errors.New("no way") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialled(ctx) }}
				defer base.CloseIdleConnections()
				c, err := transport.New(transport.Config{
					Provider: "test", BaseURL: "https://kyckit.invalid",
					HTTP: kyckit.HTTP{Client: &http.Client{Transport: base}, Timeout: time.Second},
				})
				require.NoError(t, err)
				_, err = c.Do(t.Context(), start())
				require.ErrorIs(t, err, kyckit.ErrUnavailable)
				require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Contains(t, err.Error(), "nothing was sent")

				if name == "no answer to the dial" || name == "no TLS handshake" {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					_, err = c.Do(ctx, start())
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				}
			})
		})
	}
}

// An idle connection that the server closed, or a transport that does not say
// whether it has one, may have carried the request.
func TestSomethingMayBeSentOverAConnection(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{})
	_, err := c.Do(t.Context(), start())
	require.NoError(t, err)
	s.Fail("start", 1, kyctest.Fault{Hangup: true})
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)

	c = madeUp(t, kyckit.HTTP{}, func(*http.Request) (*http.Response, error) { return nil, errors.New("no way") })
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
}

// The first try was refused for its token; the second one got nowhere.
func TestNothingIsSentAfterARefusal(t *testing.T) {
	s := fake(t, kyctest.Options{})
	base := &http.Transport{DisableKeepAlives: true}
	dials := 0
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, errors.New("no way")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s.Fail("start", 1, kyctest.Fault{Status: 401})
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: &http.Client{Transport: base}},
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if resp, err := rt.RoundTrip(r); err != nil || resp.StatusCode != http.StatusUnauthorized {
					return resp, err
				}
				again := *r
				again.Body, _ = r.GetBody()
				return rt.RoundTrip(&again)
			})
		},
	})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Equal(t, 1, s.Count("start"))
}
