package kyctest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// deliveryTimeout is how long a receiver has to answer a delivery.
const deliveryTimeout = 30 * time.Second

// Webhook says where and how a fake delivers its events. The zero value
// delivers none.
type Webhook struct {
	// URL receives the events that the fake sends by itself. A user and a
	// password in it are sent as Basic.
	URL string
	// Method is POST if empty.
	Method string
	// Client sends the deliveries; a client certificate for mTLS belongs to it.
	// Nil means a client that keeps no connection open.
	Client *http.Client
	// Signer signs the deliveries, for example a webhooktest.HMAC. Nil means the
	// provider's own signature, where there is one.
	Signer Signer
	// Lose says which events, counted from 1, never arrive; nil for none.
	Lose func(n int) bool
	// Repeat says how many more times the n-th event is sent; nil for none.
	Repeat func(n int) int
	// Delay holds each event back.
	Delay time.Duration
	// Late holds the n-th event back even longer, so that later ones overtake
	// it; nil for none.
	Late func(n int) time.Duration
}

// Signer signs a delivery by setting its headers. The signers of webhooktest
// are Signers. The id is the same whenever the same body is sent.
type Signer interface {
	Sign(r *http.Request, id string, at time.Time, body []byte) error
}

// Deliver sends body now, once, and returns the status of the answer. It does
// not lose, repeat or hold back anything. The error tells that there was no
// answer within 30 s.
func (w Webhook) Deliver(ctx context.Context, body []byte) (status int, err error) {
	if len(body) == 0 {
		return 0, errors.New("kyctest: there is no event to deliver")
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	method := w.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, w.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if w.Signer != nil {
		sum := sha256.Sum256(body)
		if err := w.Signer.Sign(req, "evt_"+hex.EncodeToString(sum[:12]), time.Now(), body); err != nil {
			return 0, err
		}
	}
	client := w.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, resp.Body.Close()
}

// sender delivers events in goroutines of its own. A delivery that fails is not
// sent again: no provider documents its retries.
type sender struct {
	webhook Webhook

	mu     sync.Mutex
	n      int
	closed bool
	busy   sync.WaitGroup
}

func (s *sender) send(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.webhook.URL == "" {
		return
	}
	s.n++
	if s.webhook.Lose != nil && s.webhook.Lose(s.n) {
		return
	}
	times, delay := 1, s.webhook.Delay
	if s.webhook.Repeat != nil {
		times += max(s.webhook.Repeat(s.n), 0)
	}
	if s.webhook.Late != nil {
		delay += s.webhook.Late(s.n)
	}
	s.busy.Go(func() {
		time.Sleep(delay)
		for range times {
			_, _ = s.webhook.Deliver(context.Background(), body)
		}
	})
}

// close lets no more events out and waits for those on their way.
func (s *sender) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.busy.Wait()
}

// Deliver sends an event's body to url now, signed as the fake signs, and
// returns the status of the answer. An empty url means Options.Webhook.URL. Call
// it again for a duplicate, and not at all for a loss.
func (s *Server) Deliver(ctx context.Context, url string, body []byte) (status int, err error) {
	w := s.sender.webhook
	if url != "" {
		w.URL = url
	}
	return w.Deliver(ctx, body)
}

// Send delivers an event's body in the background, as Options.Webhook says:
// late, several times or not at all. A fake calls it on each change that its
// provider would tell of. Close waits for what is on its way.
func (s *Server) Send(body []byte) { s.sender.send(body) }
