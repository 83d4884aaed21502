package kycjwt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

// List reads a list of any resource, page by page, as the caller asks for
// more. T is the type of one item; json.RawMessage keeps items as they are. The
// path is as in Get; query may hold filters, a page to start at and a size.
//
//	for item, err := range kycjwt.List[json.RawMessage](ctx, client, "/webhooks", nil) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// The documented envelope is {items, total, page, size, pages}, of which only
// items is required; a bare JSON list counts as the only page. An error ends
// the iteration and comes with the zero item. Besides the errors of Get there
// is kyckit.ErrDecode for lists that never end: a page that came before, a
// page that was not asked for, more than Config.MaxPages pages; and for a page
// with an array of more than 10,000 items.
//
// Each range over the result starts anew. Pages are read one after the other,
// so items that are added or removed meanwhile may be missed or seen twice.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return list[T](ctx, c, Request{Method: http.MethodGet, Path: path, Query: query, op: "list"})
}

// readPage asks for one page and counts it.
func readPage(ctx context.Context, c *Client, asked Request, walk *pageWalk) (resp *transport.Response, items []json.RawMessage, more bool, err error) {
	ctx, end := c.scope(ctx)
	defer end(&err)
	if resp, err = c.call(ctx, asked); err != nil {
		return nil, nil, false, err
	}
	items, more, problem := walk.page(resp.Body)
	if problem != "" {
		return nil, nil, false, unreadable(resp, problem)
	}
	return resp, items, more, nil
}

func list[T any](ctx context.Context, c *Client, r Request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		walk := pageWalk{next: 1, first: 1, seen: map[[sha256.Size]byte]bool{}}
		query := url.Values{}
		maps.Copy(query, r.Query)
		if v := query.Get("page"); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxPage {
				yield(none, invalid(r.op, "the query's page must be a number from 1 to 1,000,000"))
				return
			}
			walk.next, walk.asked = n, true
		}
		for {
			asked := r
			asked.Query = query
			resp, items, more, err := readPage(ctx, c, asked, &walk)
			if err != nil {
				yield(none, err)
				return
			}
			for _, raw := range items {
				var item T
				if json.Unmarshal(raw, &item) != nil {
					yield(none, unreadable(resp, "an item of the list is not the documented JSON"))
					return
				}
				if !yield(item, nil) {
					return
				}
			}
			if !more {
				return
			}
			if walk.count >= c.maxPages {
				yield(none, unreadable(resp, "the list has more pages than Config.MaxPages"))
				return
			}
			query.Set("page", strconv.Itoa(walk.next))
		}
	}
}

func unreadable(resp *transport.Response, problem string) error {
	return resp.Fail(kyckit.ErrDecode, problem, transport.Explanation{})
}

// maxPage is the last page and the largest page size that is believed.
const maxPage = 1_000_000

// pageWalk decides after each page whether there is a next one. It believes
// no single number: what decides is, in this order, pages, total, size, and
// an empty or repeated page ends the walk whatever the numbers say. A page
// without numbers is the last one.
type pageWalk struct {
	next  int // the page asked for
	first int // the number of a list's first page: 1, or 0 if the server says so
	asked bool
	count int // pages read
	items int // items that the pages so far stand for
	seen  map[[sha256.Size]byte]bool
}

// maxItems is the longest array that is read of an answer, a page's items
// included. A page has some dozens.
const maxItems = 10_000

// decode reads an answer that is JSON of the provider's, unless it holds an
// array so long that it can only be meant to take memory.
func decode(resp *transport.Response, out any) error {
	if _, longest := lenient.Items(resp.Body); longest > maxItems {
		return unreadable(resp, tooLong)
	}
	return resp.Decode(out)
}

const tooLong = "the answer holds an array of more than 10,000 items"

// page reads one page. A non-empty problem means that the list cannot be
// trusted to end, or is no list.
func (w *pageWalk) page(body []byte) (items []json.RawMessage, more bool, problem string) {
	var p struct {
		Items []json.RawMessage `json:"items"`
		Total *int              `json:"total"`
		Page  *int              `json:"page"`
		Size  *int              `json:"size"`
		Pages *int              `json:"pages"`
	}
	if _, longest := lenient.Items(body); longest > maxItems {
		return nil, false, tooLong
	}
	bare := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	if bare {
		if json.Unmarshal(body, &p.Items) != nil {
			return nil, false, "the list is not the documented JSON"
		}
		return p.Items, false, ""
	}
	if json.Unmarshal(body, &p) != nil || p.Items == nil {
		return nil, false, "the page is not the documented JSON"
	}
	if p.Page != nil && *p.Page != w.next {
		if w.asked || *p.Page < 0 || *p.Page > maxPage {
			return nil, false, "another page came than the one asked for"
		}
		// No page was asked for: this one's number is where to go on from.
		w.next, w.first = *p.Page, min(*p.Page, 1)
	}
	w.asked = true
	w.count++
	if len(p.Items) == 0 {
		return nil, false, ""
	}
	sum := digest(p.Items)
	if w.seen[sum] {
		return nil, false, "a page of the list came twice"
	}
	w.seen[sum] = true
	if w.count == 1 && p.Size != nil && *p.Size > 0 && *p.Size <= maxPage {
		w.items = (w.next - w.first) * *p.Size // where the caller began in the middle
	}
	w.items += len(p.Items)

	switch {
	case p.Pages != nil && *p.Pages > w.next-w.first:
		more = *p.Pages > w.next-w.first+1
	case p.Total != nil && *p.Total >= w.items:
		more = *p.Total > w.items
	case p.Size != nil && *p.Size > 0:
		more = len(p.Items) >= *p.Size // a full page
	}
	w.next++
	return p.Items, more, ""
}

func digest(items []json.RawMessage) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, item := range items {
		h.Write(item)
		h.Write([]byte{0})
	}
	h.Sum(sum[:0])
	return sum
}
