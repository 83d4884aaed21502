package webhook

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endless is a body that never ends; it counts what is read.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestLargeInputCostsLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	h := newHandler(t, HandlerConfig{})
	body := &endless{}
	assert.Less(t, allocated(func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", io.LimitReader(body, 64<<20)))
		assert.Equal(t, 413, w.Code)
	}), uint64(4<<20))
	assert.LessOrEqual(t, body.n, 3<<20)

	v := vectors()[2]
	h = newHandler(t, HandlerConfig{Authenticate: v.auth(t)})
	r := httptest.NewRequest("POST", "/", strings.NewReader(v.body))
	for k, value := range v.header {
		r.Header.Set(k, value)
	}
	r.Header.Set("Webhook-Signature", strings.Repeat("v1,AAAA ", 1<<17))
	assert.Less(t, allocated(func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, 401, w.Code)
	}), uint64(64<<10))
}

// TestBodyIsNotReadForAStranger: what can be refused by the headers is.
func TestBodyIsNotReadForAStranger(t *testing.T) {
	v := vectors()[0]
	for name, a := range map[string]Authenticator{"hmac": v.auth(t), "all": All(v.auth(t), accept()), "any": Any(v.auth(t), deny(), edAuth(t))} {
		body := &endless{}
		newHandler(t, HandlerConfig{Authenticate: a}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", io.LimitReader(body, 1<<20)))
		if name == "any" { // deny() may want the body
			assert.NotZero(t, body.n)
		} else {
			assert.Zero(t, body.n, name)
		}
	}
}

func TestReadBody(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 16 << 10, 16<<10 + 1, 100_000, 1 << 20} {
		want := bytes.Repeat([]byte("x"), size)
		for _, announced := range []int64{-1, int64(size)} {
			got, err := readBody(bytes.NewReader(want), announced, 1<<20)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		}
	}
	_, err := readBody(io.MultiReader(strings.NewReader("x"), errReader{}), 10, 100)
	require.Error(t, err)
	_, err = readBody(http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("xyz")), 2), 3, 100)
	require.ErrorIs(t, err, errBodyTooLong, "a limit set before the handler")
}

// TestHugeAnnouncementIsNotBelieved: whoever allows huge bodies must not pay
// for one that was only announced.
func TestHugeAnnouncementIsNotBelieved(t *testing.T) {
	for _, announced := range []int64{1 << 45, math.MaxInt64} {
		got, err := readBody(io.LimitReader(zeros{}, 100<<10), announced, math.MaxInt64)
		require.NoError(t, err)
		require.Len(t, got, 100<<10)
		require.Less(t, cap(got), 16<<20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
