package nafathtest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

// Webhook says where and how the fake delivers events. The zero value delivers
// none.
type Webhook struct {
	// URL receives the deliveries.
	URL string
	// Method is POST if empty; the provider can be set to PUT and PATCH too.
	Method string
	// Client sends them; it carries the client certificate for mTLS. Nil means
	// one that keeps no connection open.
	Client *http.Client
	// Sign adds authentication to a delivery; nil for none.
	Sign func(r *http.Request, body []byte)
	// Lose says which deliveries, counted from 1, never arrive; nil for none.
	Lose func(n int) bool
	// Repeat says how many more times the n-th delivery is sent; nil for none.
	Repeat func(n int) int
	// Delay holds each delivery back.
	Delay time.Duration
	// Late holds the n-th delivery back even longer, so that later ones overtake
	// it; nil for none.
	Late func(n int) time.Duration
}

// sender delivers events in goroutines of its own. The provider's retries are
// not documented, so a delivery that fails is not sent again.
type sender struct {
	config Webhook

	mu     sync.Mutex
	n      int
	closed bool
	busy   sync.WaitGroup
}

func (s *sender) send(transID string, status nafath.Status) {
	if s.config.URL == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.n++
	if s.config.Lose != nil && s.config.Lose(s.n) {
		return
	}
	times, delay := 1, s.config.Delay
	if s.config.Repeat != nil {
		times += max(s.config.Repeat(s.n), 0)
	}
	if s.config.Late != nil {
		delay += s.config.Late(s.n)
	}
	s.busy.Go(func() {
		time.Sleep(delay)
		for range times {
			_ = Deliver(context.Background(), s.config, transID, status)
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

// Deliver sends one event now and returns the receiver's HTTP status, 0 when
// there was no answer within 30 s. Tests use it for duplicates and forgeries. Of
// to it takes where and how to send, not what to lose, repeat or hold back.
func Deliver(ctx context.Context, to Webhook, transID string, status nafath.Status) int {
	body, err := json.Marshal(struct {
		Type    string
		TransID string `json:"TransId"`
		Status  nafath.Status
	}{nafath.EventVerificationCompleted, transID, status})
	if err != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	method := to.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if to.Sign != nil {
		to.Sign(req, body)
	}
	client := to.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
