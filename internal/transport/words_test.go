package transport

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A wait that a provider asks for is never negative and never believed beyond
// a day.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "3", "-1", "+3", "1.5", "NaN", "Inf", "1e9", "0x10", "99999999999999999999999999", "9999999999999999999-", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		wait := retryAfter(http.Header{"Retry-After": {v}}, time.Now())
		require.GreaterOrEqual(t, wait, time.Duration(0))
		require.LessOrEqual(t, wait, maxRetryAfter)
		if strings.ContainsAny(v, "-+.eExN") && !strings.Contains(v, ":") {
			require.Zero(t, wait, "not a number of seconds")
		}
	})
}

// An id stays one segment of the path, whoever takes the path apart.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"trans-1", "", ".", "..", "a/b", `a\b`, "%2e%2e", "%2F", "%252f", "?x=1#y", "{id}", "a b", "\xff", "é", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		path, ok := expand("/a/{id}/b", []string{id})
		if !ok {
			return
		}
		u, err := url.Parse("https://host.example/base" + path)
		require.NoError(t, err)
		require.Empty(t, u.RawQuery+u.Fragment)
		require.Equal(t, "host.example", u.Host)
		require.Equal(t, "/base/a/"+id+"/b", u.Path)
		segments := strings.Split(u.EscapedPath(), "/")
		require.Len(t, segments, 5)
		require.Equal(t, u.String(), u.JoinPath("/").String()[:len(u.String())], "cleaning it changes nothing")
	})
}

// What stands in an error or a log as a code or an id can neither be a person's
// number nor break a line.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"E-1", "1000000008", "706.550.210-70", "req-1", "a\nb", "Noura Sample", strings.Repeat("a", 200), "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, word := range []string{Code(s), RequestID(s)} {
			if word == "" {
				continue
			}
			require.Equal(t, s, word)
			require.LessOrEqual(t, len(word), maxRequestID)
			require.True(t, printable(word))
			require.False(t, strings.ContainsAny(word, ` "'<>/\@,;=&?%`))
		}
		if strings.Trim(s, "0123456789.-:_") == "" {
			require.Empty(t, RequestID(s))
		}
	})
}
