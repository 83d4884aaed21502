package transport_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// Every limit is stood on from both sides.

func TestWhichStatusIsASuccess(t *testing.T) {
	for status, kind := range map[int]error{
		200: nil, 299: nil,
		300: kyckit.ErrDecode, 399: kyckit.ErrDecode,
		400: kyckit.ErrInvalid, 499: kyckit.ErrInvalid,
		500: kyckit.ErrUnavailable, 599: kyckit.ErrUnavailable,
	} {
		c := madeUp(t, kyckit.HTTP{}, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		})
		_, err := c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kind, "%d", status)
	}
}

func TestWhichStatusIsTriedAgain(t *testing.T) {
	for status, want := range map[int]int{
		300: 1, 400: 1, 407: 1, 408: 2, 409: 1, 424: 1, 425: 2, 426: 1, 428: 1, 429: 2, 499: 1, 500: 2, 501: 1, 502: 2, 599: 2,
	} {
		tries := 0
		c := madeUp(t, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: 2}}, func(*http.Request) (*http.Response, error) {
			tries++
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		})
		_, err := c.Do(t.Context(), read("a"))
		require.Error(t, err)
		assert.Equal(t, want, tries, "%d", status)
	}
}

func TestAnAnswerAsLongAsTheLimit(t *testing.T) {
	const limit = 100
	for _, status := range []int{200, 299, 300, 400} {
		for _, length := range []int{limit - 1, limit, limit + 1} {
			for _, announced := range []bool{true, false} {
				c := madeUp(t, kyckit.HTTP{MaxResponseBytes: limit}, func(*http.Request) (*http.Response, error) {
					resp := &http.Response{StatusCode: status, ContentLength: -1, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", length)))}
					if announced {
						resp.ContentLength = int64(length)
					}
					return resp, nil
				})
				resp, err := c.Do(t.Context(), read("a"))
				switch {
				case status >= 300:
					assert.Len(t, asError(t, err).Body(), min(length, limit), "the rest of a refusal is left out")
				case length > limit:
					require.ErrorIs(t, err, kyckit.ErrDecode, "%d", status)
				default:
					require.NoError(t, err)
					assert.Len(t, resp.Body, length)
				}
			}
		}
	}
}

// A middleware's own answers are held to the limit, too.
func TestAMiddlewaresAnswerIsLimited(t *testing.T) {
	for length, kind := range map[int]error{8: nil, 9: kyckit.ErrDecode} {
		own := func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", length)))}, nil
			})
		}
		c := madeUp(t, kyckit.HTTP{MaxResponseBytes: 8, Middleware: []func(http.RoundTripper) http.RoundTripper{own}}, func(*http.Request) (*http.Response, error) { return nil, io.EOF })
		_, err := c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kind)
	}
}

func TestHowLongAnIDMayBe(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{})
	_, err := c.Do(t.Context(), read(strings.Repeat("x", 256)))
	require.NoError(t, err)
	for _, id := range []string{strings.Repeat("x", 257), "a\x1fb", "a\x7fb"} {
		_, err = c.Do(t.Context(), read(id))
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

func TestFiveRedirectsAreFollowed(t *testing.T) {
	for hops, kind := range map[int]error{5: nil, 6: kyckit.ErrDecode} {
		s := fake(t, kyctest.Options{})
		c := newClient(t, s, kyckit.HTTP{})
		for i := range hops {
			s.Fail("thing", i+1, kyctest.Fault{Status: 302, Header: http.Header{"Location": {"/thing/b"}}})
		}
		_, err := c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kind)
		assert.Equal(t, 6, s.Count("thing"))
	}
}

func TestARetryAfterAsLongAsMaxWait(t *testing.T) {
	for after, calls := range map[string]int{"5": 2, "6": 1} {
		synctest.Test(t, func(t *testing.T) {
			s := fake(t, kyctest.Options{InMemory: true})
			c := newClient(t, s, kyckit.HTTP{})
			s.Fail("thing", 1, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {after}}})
			_, _ = c.Do(t.Context(), read("a"))
			assert.Equal(t, calls, s.Count("thing"))
		})
	}
	// A try that could only begin as the deadline comes is not worth the wait.
	for deadline, calls := range map[time.Duration]int{3 * time.Second: 1, 4 * time.Second: 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			tries := 0
			c := slow(t, func(*http.Request) (*http.Response, error) {
				tries++
				return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"3"}}, Body: http.NoBody}, nil
			})
			began := time.Now()
			_, err := c.Do(ctx, read("a"))
			require.ErrorIs(t, err, kyckit.ErrRateLimited)
			assert.Equal(t, calls, tries)
			assert.Equal(t, time.Duration(calls-1)*3*time.Second, time.Since(began).Truncate(time.Second))
		})
	}
}

// slow is madeUp with the waits between two tries that are the default.
func slow(t *testing.T, f roundTrip) *transport.Client {
	t.Helper()
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: "https://kyckit.invalid",
		HTTP: kyckit.HTTP{Client: &http.Client{Transport: f}, Retry: kyckit.Retry{MaxAttempts: 2}},
	})
	require.NoError(t, err)
	return c
}

// The wait before a try is anything up to a bound that doubles from MinWait to
// MaxWait.
func TestWaitsDoubleUpToMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		c, err := transport.New(transport.Config{
			Provider: "test", BaseURL: "https://kyckit.invalid",
			HTTP: kyckit.HTTP{
				Retry: kyckit.Retry{MaxAttempts: 6, MinWait: 100 * time.Millisecond, MaxWait: time.Second},
				Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					return &http.Response{StatusCode: 503, Body: http.NoBody}, nil
				})},
			},
		})
		require.NoError(t, err)
		var longest [5]time.Duration
		for range 200 {
			at = nil
			_, err := c.Do(t.Context(), read("a"))
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			require.Len(t, at, 6)
			for i := range longest {
				longest[i] = max(longest[i], at[i+1].Sub(at[i]))
			}
		}
		for i, bound := range []int64{100, 200, 400, 800, 1000} {
			assert.LessOrEqual(t, longest[i].Milliseconds(), bound)
			assert.Greater(t, longest[i].Milliseconds(), bound*9/10)
		}
	})
}

func TestWhatACodeMayHold(t *testing.T) {
	for _, fine := range []string{
		"a", "z", "A", "Z", "0", "9", "-", "_", ".", ":", strings.Repeat("a", 64), "1234567", "1234567-7654321", "1234567a7654321", "09-AZ-az",
	} {
		assert.Equal(t, fine, transport.Code(fine))
	}
	for _, bad := range []string{strings.Repeat("a", 65), "12345678", "a12345678", "@", "[", "`", "{", "/", ";", "é"} {
		assert.Empty(t, transport.Code(bad), "%q", bad)
	}
}

func TestWhatARequestIDMayHold(t *testing.T) {
	digits := strings.Repeat("0", 31)
	for _, fine := range []string{
		"a", "z", "A", "Z", "a1234567", strings.Repeat("a", 128),
		digits + "a", digits + "f", digits + "A", digits + "F", strings.Repeat("9", 31) + "f",
	} {
		assert.Equal(t, fine, transport.RequestID(fine))
	}
	for _, bad := range []string{
		"1", "-", "@1", "[1", "`1", "{1", "a12345678", "a1234-5678", strings.Repeat("a", 129),
		digits + "g", digits + "G", digits + "0", digits + "0a", digits[1:] + "a", "a12345678" + strings.Repeat("/", 23),
	} {
		assert.Empty(t, transport.RequestID(bad), "%q", bad)
	}
}

func TestWhichHeadersAreSent(t *testing.T) {
	for _, name := range []string{"a", "!", "~", "X-Y"} {
		assert.True(t, transport.ValidHeader(name, "v"), name)
	}
	for _, name := range []string{"", " ", "a b", "a\x7f", "a:", "(a", `a"`, "é"} {
		assert.False(t, transport.ValidHeader(name, "v"), name)
	}
	for _, value := range []string{"", " ", "\t", "~", "é"} {
		assert.True(t, transport.ValidHeader("a", value), value)
	}
	for _, value := range []string{"\x00", "\x1f", "\x7f", "a\nb"} {
		assert.False(t, transport.ValidHeader("a", value), value)
	}
	for agent, kind := range map[string]error{"a b~": nil, "a\x1f": kyckit.ErrInvalid, "a\x7f": kyckit.ErrInvalid} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid", HTTP: kyckit.HTTP{UserAgent: agent}})
		require.ErrorIs(t, err, kind)
	}
}

func TestWhichAddressesAreTaken(t *testing.T) {
	for url, want := range map[string]string{
		"https://kyckit.invalid:1": "https://kyckit.invalid:1", "https://kyckit.invalid:65535///": "https://kyckit.invalid:65535",
		"https://kyckit.invalid/a/": "https://kyckit.invalid/a",
	} {
		got, err := transport.CheckURL("test", "URL", url)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, url := range []string{
		"https://kyckit.invalid:0", "https://kyckit.invalid:65536", "https://:443", "https://kyckit.invalid?", "https://kyckit.invalid#a",
		"http://10.0.0.1", "ftp://localhost",
	} {
		_, err := transport.CheckURL("test", "URL", url)
		require.ErrorIs(t, err, kyckit.ErrInvalid, url)
	}
	for _, h := range []kyckit.HTTP{
		{Retry: kyckit.Retry{MinWait: -1}}, {Retry: kyckit.Retry{MaxWait: -1}}, {Retry: kyckit.Retry{MinWait: 2, MaxWait: 1}},
	} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid", HTTP: h})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	_, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid", HTTP: kyckit.HTTP{Retry: kyckit.Retry{MinWait: 1, MaxWait: 1}}})
	require.NoError(t, err)
}

// A hook is told the port that is meant, and the protocol that was spoken.
func TestATraceIsToldWhereTo(t *testing.T) {
	for base, port := range map[string]int{
		"https://kyckit.invalid": 443, "http://localhost": 80, "https://kyckit.invalid:8443": 8443, "http://127.0.0.1:1": 1,
	} {
		for version, protocol := range map[[2]int]string{{1, 0}: "1.0", {1, 1}: "1.1", {2, 0}: "2", {3, 0}: "3"} {
			var call kyckit.CallInfo
			var end kyckit.TryEnd
			c, err := transport.New(transport.Config{Provider: "test", BaseURL: base, HTTP: kyckit.HTTP{
				Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, ProtoMajor: version[0], ProtoMinor: version[1], Body: http.NoBody}, nil
				})},
				Trace: &kyckit.Trace{Try: func(ctx context.Context, info kyckit.CallInfo, _ kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
					call = info
					return ctx, func(e kyckit.TryEnd) { end = e }
				}},
			}})
			require.NoError(t, err)
			_, err = c.Do(t.Context(), read("a"))
			require.NoError(t, err)
			assert.Equal(t, port, call.Port, base)
			assert.Equal(t, protocol, end.Protocol)
		}
	}
}

// The default time for one try is the call's own, else half a minute.
func TestHowLongATryMayTake(t *testing.T) {
	for _, tc := range []struct{ call, want time.Duration }{{0, 30 * time.Second}, {7 * time.Second, 7 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var tried []time.Duration
			c := slow(t, func(r *http.Request) (*http.Response, error) {
				began := time.Now()
				<-r.Context().Done()
				tried = append(tried, time.Since(began))
				return nil, r.Context().Err()
			})
			call := read("a")
			call.Timeout = tc.call
			_, err := c.Do(t.Context(), call)
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			assert.Equal(t, []time.Duration{tc.want, tc.want}, tried)
		})
	}
}

// An answer of 4 MiB is read by default, and no longer one.
func TestTheDefaultLimitOfAnAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[len("/thing/"):])
		_, _ = w.Write(make([]byte, n))
	}))
	defer srv.Close()
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: srv.URL, HTTP: kyckit.HTTP{Client: srv.Client()}})
	require.NoError(t, err)
	resp, err := c.Do(t.Context(), read(strconv.Itoa(4<<20)))
	require.NoError(t, err)
	assert.Len(t, resp.Body, 4<<20)
	_, err = c.Do(t.Context(), read(strconv.Itoa(4<<20+1)))
	require.ErrorIs(t, err, kyckit.ErrDecode)
}

// The time for one try is HTTP.Timeout, else the Timeout of the caller's client.
func TestWhoseTimeoutCounts(t *testing.T) {
	for _, tc := range []struct{ own, clients, want time.Duration }{
		{7 * time.Second, 5 * time.Second, 7 * time.Second}, {0, 5 * time.Second, 5 * time.Second}, {0, -1, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			took := time.Duration(0)
			hang := roundTrip(func(r *http.Request) (*http.Response, error) {
				began := time.Now()
				<-r.Context().Done()
				took = time.Since(began)
				return nil, r.Context().Err()
			})
			c, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid", HTTP: kyckit.HTTP{
				Timeout: tc.own, Client: &http.Client{Transport: hang, Timeout: tc.clients},
			}})
			require.NoError(t, err)
			_, err = c.Do(t.Context(), start())
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			assert.Equal(t, tc.want, took)
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	s := fake(t, kyctest.Options{})
	for agent, want := range map[string]string{"": "kyckit-go", "shop/1": "shop/1 kyckit-go"} {
		c := newClient(t, s, kyckit.HTTP{UserAgent: agent})
		call := read("a")
		call.Query = map[string][]string{"b": {"c d"}}
		_, err := c.Do(t.Context(), call)
		require.NoError(t, err)
		all := s.Requests("thing")
		assert.Equal(t, "c d", all[len(all)-1].Query.Get("b"))
		assert.Equal(t, want, all[len(all)-1].Header.Get("User-Agent"))
	}
}

func TestARefusedConnectionIsSaid(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: srv.URL})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), start())
	require.EqualError(t, err, "test: start: unavailable: connection refused, nothing was sent")
}
