package transport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// refusing is a connection that breaks in the middle of a request, with the
// answer already on its way.
type refusing struct {
	net.Conn // nil

	answer *bytes.Reader
	room   int // what can be sent before it breaks
	once   sync.Once
	broken chan struct{}
	end    sync.Once
	closed chan struct{}
}

func (c *refusing) Write(p []byte) (int, error) {
	if c.room -= len(p); c.room < 0 {
		c.once.Do(func() { close(c.broken) })
		return 0, &net.OpError{Op: "write", Err: syscall.ECONNRESET}
	}
	return len(p), nil
}

func (c *refusing) Read(p []byte) (int, error) {
	select {
	case <-c.broken:
	case <-c.closed:
		return 0, net.ErrClosed
	}
	select {
	case <-time.After(20 * time.Millisecond): // later than the failing Write
	case <-c.closed:
		return 0, net.ErrClosed
	}
	n, err := c.answer.Read(p)
	if err != nil {
		err = &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return n, err
}

func (c *refusing) Close() error {
	c.end.Do(func() { close(c.closed) })
	return nil
}

// upload has a streamed body of 200 KB.
func upload() *transport.Call {
	call := start()
	data := bytes.Repeat([]byte("x"), 200_000)
	call.Body = transport.Body{ContentType: "text/plain", Length: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
	return call
}

func refusedWith(t *testing.T, answer string) error {
	t.Helper()
	base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return &refusing{
			answer: bytes.NewReader([]byte(answer)), room: 100_000,
			broken: make(chan struct{}), closed: make(chan struct{}),
		}, nil
	}}
	defer base.CloseIdleConnections()
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: "http://127.0.0.1", HTTP: kyckit.HTTP{Client: &http.Client{Transport: base}}, Explain: explain,
	})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), upload())
	return err
}

// The answer counts, and not that the rest of the request could not be sent.
func TestAnswerBeforeTheEndOfTheRequest(t *testing.T) {
	long := string(bytes.Repeat([]byte("h"), 20_000))
	for name, tc := range map[string]struct {
		answer string
		status int
		want   error
	}{
		"413":               {"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>", 413, kyckit.ErrInvalid},
		"413, keep-alive":   {"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\n<html>", 413, kyckit.ErrInvalid},
		"413, empty":        {"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413, kyckit.ErrInvalid},
		"413, long":         {"HTTP/1.1 413 Too Large\r\nContent-Length: 20000\r\n\r\n" + long, 413, kyckit.ErrInvalid},
		"413, until closed": {"HTTP/1.1 413 Too Large\r\n\r\n<html>", 413, kyckit.ErrInvalid},
		"413, cut off":      {"HTTP/1.1 413 Too Large\r\nContent-Length: 20000\r\n\r\n<html>", 413, kyckit.ErrInvalid},
		"413, no body":      {"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\n", 413, kyckit.ErrInvalid},
		"413, above limit":  {"HTTP/1.1 413 Too Large\r\nContent-Length: 9000000\r\n\r\n" + long, 413, kyckit.ErrInvalid},
		"403":               {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", 403, kyckit.ErrForbidden},
		"403, cut off":      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\n{}", 0, kyckit.ErrOutcomeUnknown},
		"half an answer":    {"HTTP/1.1 413 Too", 0, kyckit.ErrOutcomeUnknown},
		"none":              {"", 0, kyckit.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := refusedWith(t, tc.answer)
				require.ErrorIs(t, err, tc.want)
				var e *kyckit.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tc.status, e.StatusCode)
				require.Equal(t, 1, e.Attempts)
				require.LessOrEqual(t, time.Since(began), 2*time.Second)
				if strings.Contains(tc.answer, "\r\n\r\n<html>") {
					require.NotEmpty(t, e.Body())
				}
			})
		})
	}
}

// A broken connection is not waited on for longer than the caller waits.
func TestNoAnswerBeforeTheEndOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				_, _ = io.ReadFull(server, make([]byte, 1000))
				<-t.Context().Done() // nobody reads on and nobody answers
				_ = server.Close()
			}()
			return client, nil
		}}
		defer base.CloseIdleConnections()
		c, err := transport.New(transport.Config{
			Provider: "test", BaseURL: "http://127.0.0.1", HTTP: kyckit.HTTP{Client: &http.Client{Transport: base}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err = c.Do(ctx, upload())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 100*time.Millisecond, time.Since(began))
	})
}
