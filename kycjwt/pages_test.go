package kycjwt_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

type item struct {
	ID int `json:"id"`
}

// pages serves a list under /api/v1/list; page is called with the number asked
// for.
func pages(t *testing.T, page func(n int) string, change ...func(*kycjwt.Config)) (*kycjwttest.Server, *kycjwt.Client) {
	t.Helper()
	fake, client := start(t, kycjwttest.Config{}, change...)
	fake.Handle("/api/v1/list", "list", func(w http.ResponseWriter, r *http.Request) {
		n := 1
		if text := r.URL.Query().Get("page"); text != "" {
			n, _ = strconv.Atoi(text)
		}
		_, _ = fmt.Fprint(w, page(n))
	})
	return fake, client
}

// collect reads a list to its end or its error.
func collect(t *testing.T, c *kycjwt.Client, query url.Values) (ids []int, err error) {
	t.Helper()
	for it, err := range kycjwt.List[item](t.Context(), c, "/list", query) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, it.ID)
	}
	return ids, nil
}

// envelope writes items from..to-1 and the given further members.
func envelope(from, to int, members string) string {
	var items []string
	for i := from; i < to; i++ {
		items = append(items, fmt.Sprintf(`{"id":%d}`, i))
	}
	return `{"items":[` + strings.Join(items, ",") + `]` + members + `}`
}

func upTo(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i)
	}
	return out
}

func TestListReadsAllPagesAndNoMore(t *testing.T) {
	for name, c := range map[string]struct {
		page     func(n int) string
		requests int
	}{
		"all members": {func(n int) string {
			return envelope(2*(n-1), min(2*n, 5), fmt.Sprintf(`,"total":5,"page":%d,"size":2,"pages":3`, n))
		}, 3},
		"without pages": {func(n int) string {
			return envelope(2*(n-1), min(2*n, 5), fmt.Sprintf(`,"total":5,"page":%d,"size":2`, n))
		}, 3},
		"the older form": {func(n int) string {
			return envelope(2*(n-1), min(2*n, 5), fmt.Sprintf(`,"page":%d,"size":2`, n))
		}, 3},
		"numbers as null": {func(n int) string {
			return envelope(2*(n-1), min(2*n, 5), `,"total":null,"page":null,"size":2,"pages":null`)
		}, 3},
		"no numbers":      {func(int) string { return envelope(0, 5, "") }, 1},
		"a bare list":     {func(int) string { return `[{"id":0},{"id":1},{"id":2},{"id":3},{"id":4}]` }, 1},
		"total too small": {func(n int) string { return envelope(2*(n-1), min(2*n, 5), `,"total":1,"size":2,"pages":3`) }, 3},
		"pages too small": {func(n int) string { return envelope(2*(n-1), min(2*n, 5), `,"total":5,"size":2,"pages":0`) }, 3},
		"total far too big": {func(n int) string {
			return envelope(min(2*(n-1), 5), min(2*n, 5), fmt.Sprintf(`,"total":1000000,"page":%d,"size":2`, n))
		}, 4},
		"pages far too big": {func(n int) string {
			return envelope(min(2*(n-1), 5), min(2*n, 5), fmt.Sprintf(`,"page":%d,"size":2,"pages":99999`, n))
		}, 4},
		"an exact number of full pages": {func(n int) string {
			return envelope(min(5*(n-1), 5), min(5*n, 5), `,"size":5`)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := pages(t, c.page)
			got, err := collect(t, client, nil)
			require.NoError(t, err)
			assert.Equal(t, upTo(5), got)
			assert.Equal(t, c.requests, fake.Count("list"))
		})
	}
}

func TestListsThatNeverEndAreStopped(t *testing.T) {
	for name, c := range map[string]struct {
		page     func(n int) string
		requests int
		items    int
	}{
		"the same page again":       {func(int) string { return envelope(0, 2, `,"total":10,"size":2`) }, 2, 2},
		"the same page, renumbered": {func(n int) string { return envelope(0, 2, fmt.Sprintf(`,"page":%d,"size":2,"pages":9`, n)) }, 2, 2},
		"page is ignored":           {func(int) string { return envelope(0, 2, `,"page":1,"size":2,"pages":9`) }, 2, 2},
		"another page than asked":   {func(n int) string { return envelope(2*n, 2*n+2, `,"page":7,"size":2,"pages":9`) }, 2, 2},
		"a circle of two": {func(n int) string {
			return envelope(n%2*2, n%2*2+2, fmt.Sprintf(`,"page":%d,"size":2,"pages":9`, n))
		}, 3, 4},
		"ever new items":  {func(n int) string { return envelope(2*n, 2*n+2, `,"size":2`) }, 7, 14},
		"ever more pages": {func(n int) string { return envelope(2*n, 2*n+2, fmt.Sprintf(`,"page":%d,"pages":%d`, n, n+1)) }, 7, 14},
		"ever more total": {func(n int) string { return envelope(2*n, 2*n+2, fmt.Sprintf(`,"page":%d,"total":%d`, n, 9*n)) }, 7, 14},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := pages(t, c.page, func(cfg *kycjwt.Config) { cfg.MaxPages = 7 })
			got, err := collect(t, client, nil)
			require.ErrorIs(t, err, kyckit.ErrDecode)
			assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			assert.Len(t, got, c.items, "what came before the error is kept")
			assert.Equal(t, c.requests, fake.Count("list"))
		})
	}
}

func TestPagesThatAreNone(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"items":null}`, `{"items":{}}`, `{"items":7}`, `"x"`, `null`, `7`, ``, `<html>`, `{"items":[`, `[`, `[{"id":"x"}]`,
		`{"items":[{"id":"x"}]}`, `{"items":[{"id":1}],"total":"many"}`,
	} {
		fake, client := pages(t, func(int) string { return body })
		got, err := collect(t, client, nil)
		require.ErrorIs(t, err, kyckit.ErrDecode, "%q", body)
		assert.Empty(t, got)
		assert.Equal(t, 1, fake.Count("list"))
	}
}

func TestListStopsWhenTheCallerDoes(t *testing.T) {
	fake, client := pages(t, func(n int) string { return envelope(2*n, 2*n+2, `,"size":2`) })
	seen := 0
	for _, err := range kycjwt.List[json.RawMessage](t.Context(), client, "/list", nil) {
		require.NoError(t, err)
		if seen++; seen == 3 {
			break
		}
	}
	assert.Equal(t, 2, fake.Count("list"), "no page is read ahead")
}

func TestListKeepsTheCallersQueryAndStartsWhereItSays(t *testing.T) {
	fake, client := pages(t, func(n int) string { return envelope(10*(n-1), min(10*n, 25), `,"total":25,"size":10`) })
	query := url.Values{"page": {"2"}, "size": {"10"}, "status": {"a & b"}}
	for range 2 {
		got, err := collect(t, client, query)
		require.NoError(t, err)
		assert.Equal(t, upTo(25)[10:], got)
	}
	assert.Equal(t, url.Values{"page": {"2"}, "size": {"10"}, "status": {"a & b"}}, query, "the caller's map is not changed")
	sent := fake.Requests("list")
	require.Len(t, sent, 4, "each range starts anew and none reads past the end")
	assert.Equal(t, "3", sent[1].Query.Get("page"))
	assert.Equal(t, "a & b", sent[1].Query.Get("status"))

	for _, page := range []string{"0", "-1", "x", "99999999999999999999"} {
		_, err := collect(t, client, url.Values{"page": {page}})
		require.ErrorIs(t, err, kyckit.ErrInvalid, page)
	}
	assert.Equal(t, 4, fake.Count("list"))
}

func TestAListThatCountsFromZeroLosesNoPage(t *testing.T) {
	for _, members := range []string{`,"size":2`, `,"total":5,"size":2`, `,"size":2,"pages":3`} {
		fake, client := start(t, kycjwttest.Config{})
		fake.Handle("/api/v1/list", "list", func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("page"))
			_, _ = fmt.Fprint(w, envelope(2*n, min(2*n+2, 5), fmt.Sprintf(`,"page":%d`, n)+members))
		})
		got, err := collect(t, client, nil)
		require.NoError(t, err, members)
		assert.Equal(t, upTo(5), got, members)
		assert.Equal(t, 3, fake.Count("list"), members)
	}
}

func TestAServerThatIgnoresThePageAskedForIsNotBelieved(t *testing.T) {
	_, client := pages(t, func(int) string { return envelope(0, 2, `,"total":2,"page":1,"size":2,"pages":1`) })
	got, err := collect(t, client, url.Values{"page": {"3"}})
	require.ErrorIs(t, err, kyckit.ErrDecode)
	assert.Empty(t, got)
}

func TestAnErrorInTheMiddleOfAListComesLast(t *testing.T) {
	fake, client := pages(t, func(n int) string { return envelope(2*n, 2*n+2, `,"size":2`) })
	fake.Fail("list", 2, kyctest.Fault{Status: 403})
	got, err := collect(t, client, nil)
	require.ErrorIs(t, err, kyckit.ErrForbidden)
	assert.Equal(t, []int{2, 3}, got)
}

// 4 MiB of "{}" would become hundreds of megabytes of items.
func TestAPageOfTooManyItemsTakesNoMemory(t *testing.T) {
	many := func(item string, n int) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	const size = 4<<20 - 100
	for name, body := range map[string]string{
		"page":       `{"items":` + many(`{}`, size/3) + `}`,
		"bare":       many(`{}`, size/3),
		"numbers":    many(`1`, size/2),
		"inside":     `{"items":[{"x":` + many(`{}`, size/3) + `}]}`,
		"just above": many(`{}`, 10_001),
	} {
		_, client := pages(t, func(int) string { return body })
		require.NoError(t, client.Get(t.Context(), "/list", nil, nil)) // logs in, grows the buffers of net/http
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := collect(t, client, nil)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, kyckit.ErrDecode, name)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), name)
	}
	_, client := pages(t, func(int) string { return many(`{"id":1}`, 10_000) })
	got, err := collect(t, client, nil)
	require.NoError(t, err)
	assert.Len(t, got, 10_000)

	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("questionnaire", 1, kyctest.Fault{Status: 200, Body: `{"id":"q","data":{"questions":` + many(`{}`, size/3) + `}}`})
	_, err = client.Questionnaire(t.Context(), "q")
	require.ErrorIs(t, err, kyckit.ErrDecode)
}
