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
	// Client sends them; it carries the client certificate for mTLS. Nil means
	// http.DefaultClient.
	Client *http.Client
	// Sign adds authentication to a delivery; nil for none.
	Sign func(r *http.Request, body []byte)
	// Lose says which deliveries, counted from 1, never arrive; nil for none.
	Lose func(n int) bool
	// Delay holds each delivery back.
	Delay time.Duration
}

// sender delivers events in goroutines of its own.
type sender struct {
	config Webhook

	mu   sync.Mutex
	n    int
	busy sync.WaitGroup
}

func (s *sender) send(transID string, status nafath.Status) {
	if s.config.URL == "" {
		return
	}
	s.mu.Lock()
	s.n++
	lost := s.config.Lose != nil && s.config.Lose(s.n)
	s.mu.Unlock()
	if lost {
		return
	}
	s.busy.Go(func() {
		time.Sleep(s.config.Delay)
		_ = Deliver(context.Background(), s.config, transID, status)
	})
}

func (s *sender) wait() { s.busy.Wait() }

// Deliver sends one event now and returns the receiver's HTTP status, 0 when
// there was no answer. Tests use it for duplicates and forgeries.
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if to.Sign != nil {
		to.Sign(req, body)
	}
	client := to.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
