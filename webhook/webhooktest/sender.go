package webhooktest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Event is one delivery to be sent.
type Event struct {
	// ID is sent where the scheme has one.
	ID string
	// Body is the raw body.
	Body []byte
}

// Answer is what the receiver said to one request.
type Answer struct {
	// ID is the event's, and What says which request it was: "delivery", or
	// the name of a forgery.
	ID, What string
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Err is why there was none.
	Err error
}

// Sender delivers events as a provider does, good and bad.
type Sender struct {
	// URL is the receiver's address.
	URL string
	// Client sends the requests. Nil means one that keeps no connection open.
	Client *http.Client
	// Signer signs them. Nil means Unsigned.
	Signer Signer
	// Method is the HTTP method. Empty means POST.
	Method string
	// Header is added to each request, for example Forward's.
	Header http.Header
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Send delivers one event once.
func (s *Sender) Send(ctx context.Context, e Event) Answer {
	return s.send(ctx, e, "delivery", s.now(), nil)
}

// SendUntilAccepted delivers an event again and again, as providers do, until
// the answer is 2xx, tries are used up, or ctx ends. It waits between tries.
func (s *Sender) SendUntilAccepted(ctx context.Context, e Event, tries int, wait time.Duration) Answer {
	var a Answer
	for i := range tries {
		if i > 0 {
			select {
			case <-ctx.Done():
				return a
			case <-time.After(wait):
			}
		}
		if a = s.Send(ctx, e); a.Status/100 == 2 {
			return a
		}
	}
	return a
}

// Storm delivers every event copies times, all in an order shuffled by seed and
// several at once, as a provider does that retries too eagerly.
func (s *Sender) Storm(ctx context.Context, events []Event, copies, parallel int, seed uint64) []Answer {
	var queue []Event
	for range copies {
		queue = append(queue, events...)
	}
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	answers := make([]Answer, len(queue))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(parallel, 1) {
		wg.Go(func() {
			for i := range next {
				answers[i] = s.Send(ctx, queue[i])
			}
		})
	}
	for i := range queue {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers
}

// Forge sends the ways in which an attacker would spoil a signed delivery, each
// once. None may be accepted, provided that the signer makes one signature only:
// of several, one stays good. signatureHeader is the header that carries it; when
// the signer does not set it, each Answer has an Err.
func (s *Sender) Forge(ctx context.Context, e Event, signatureHeader string) []Answer {
	name := http.CanonicalHeaderKey(signatureHeader)
	forgeries := []struct {
		what  string
		spoil func(*http.Request)
	}{
		{"without signature", func(r *http.Request) { r.Header.Del(name) }},
		{"with an empty signature", func(r *http.Request) { r.Header[name] = []string{""} }},
		{"with the signature twice", func(r *http.Request) { r.Header[name] = append(r.Header[name], r.Header.Get(name)) }},
		{"with another body", func(r *http.Request) { setBody(r, append(bytes.Clone(e.Body), ' ')) }},
		{"with no body", func(r *http.Request) { setBody(r, nil) }},
		{"with a signature cut short", func(r *http.Request) { v := r.Header.Get(name); r.Header.Set(name, v[:len(v)-1]) }},
		{"with a signature changed", func(r *http.Request) { r.Header.Set(name, flip(r.Header.Get(name))) }},
		{"with a huge signature", func(r *http.Request) { r.Header.Set(name, strings.Repeat("v1,AA ", 20_000)) }},
	}
	at := s.now()
	if older, ok := s.older(ctx, e, name, at); ok {
		forgeries = append(forgeries, struct {
			what  string
			spoil func(*http.Request)
		}{"with the signature of another time", func(r *http.Request) { r.Header.Set(name, older) }})
	}
	var answers []Answer
	for _, f := range forgeries {
		answers = append(answers, s.send(ctx, e, f.what, at, func(r *http.Request) error {
			if r.Header.Get(name) == "" {
				return errors.New("webhooktest: the signer sets no " + name)
			}
			f.spoil(r)
			return nil
		}))
	}
	return answers
}

// older returns the signature of a second earlier. It is not ok where that is no
// forgery: when time is not signed, or stands in the same header.
func (s *Sender) older(ctx context.Context, e Event, name string, at time.Time) (signature string, ok bool) {
	now, err := s.request(ctx, e, at)
	if err != nil {
		return "", false
	}
	then, err := s.request(ctx, e, at.Add(-time.Second))
	if err != nil {
		return "", false
	}
	signature = then.Header.Get(name)
	same := signature == now.Header.Get(name)
	now.Header.Del(name)
	then.Header.Del(name)
	return signature, !same && !maps.EqualFunc(now.Header, then.Header, slices.Equal)
}

// Replay sends a delivery that was signed the given time ago, or ahead when it
// is negative.
func (s *Sender) Replay(ctx context.Context, e Event, age time.Duration) Answer {
	return s.send(ctx, e, "replay", s.now().Add(-age), nil)
}

func (s *Sender) send(ctx context.Context, e Event, what string, at time.Time, spoil func(*http.Request) error) Answer {
	a := Answer{ID: e.ID, What: what}
	var r *http.Request
	if r, a.Err = s.request(ctx, e, at); a.Err != nil {
		return a
	}
	if spoil != nil {
		if a.Err = spoil(r); a.Err != nil {
			return a
		}
	}
	client := s.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	resp, err := client.Do(r)
	if err != nil {
		a.Err = err
		return a
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	a.Status = resp.StatusCode
	return a
}

// request builds a signed request.
func (s *Sender) request(ctx context.Context, e Event, at time.Time) (*http.Request, error) {
	method := s.Method
	if method == "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, s.URL, bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for k, v := range s.Header {
		r.Header[k] = slices.Clone(v)
	}
	if s.Signer != nil {
		err = s.Signer.Sign(r, e.ID, at, e.Body)
	}
	return r, err
}

func (s *Sender) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	if len(body) == 0 {
		r.Body = http.NoBody
	}
}

// flip changes one byte in the middle, which every grammar gives to a signature.
func flip(v string) string {
	b := []byte(v)
	i := len(b) / 2
	if b[i] == 'a' {
		b[i] = 'b'
	} else {
		b[i] = 'a'
	}
	return string(b)
}
