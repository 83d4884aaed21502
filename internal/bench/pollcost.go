package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
)

const (
	costPending = 1000
	costLimit   = 6000
	costMinutes = 5
)

// stub answers every status check with WAITING.
type stub struct{ calls atomic.Int64 }

func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	const body = `{"version":null,"statusCode":200,"messages":["ok"],"result":{"status":"WAITING"}}`
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

type fixedToken struct{}

func (fixedToken) Token(context.Context) (auth.Token, error) {
	return auth.Token{Access: kyckit.NewSecret("token"), Type: "Bearer", Expiry: time.Now().Add(time.Hour)}, nil
}

func stubClient() (*nafath.Client, *stub, error) {
	s := &stub{}
	c, err := nafath.New(nafath.Config{
		BaseURL: "https://nafath.invalid", Auth: fixedToken{},
		HTTP: kyckit.HTTP{Client: &http.Client{Transport: s}, Retry: kyckit.Retry{MaxAttempts: 1}},
	})
	return c, s, err
}

func costTransactions() []nafath.Transaction {
	txs := make([]nafath.Transaction, costPending)
	for i := range txs {
		txs[i] = nafath.Transaction{
			TransID: fmt.Sprintf("7f3c9a10-0000-4000-8000-%012d", i), Random: fmt.Sprintf("%02d", i%100),
			NationalID: fmt.Sprintf("1%09d", i), CreatedAt: time.Now().Add(-time.Duration(i) * time.Millisecond),
		}
	}
	return txs
}

// cost is what one way of watching costs.
type cost struct {
	name  string
	bytes float64 // for each open verification, its own transaction aside
	micro float64 // CPU for each check
}

// reportCost compares the Poller with a goroutine and a timer for each
// verification that make the same number of calls, and with the calls alone.
func reportCost(t *testing.T, out io.Writer) error {
	rows := [][]string{{"variant", "bytes for each open one", "CPU a check", "over the call alone"}}
	var base float64
	for i, run := range []func(*testing.T) (cost, error){costCall, costGoroutines, costPoller} {
		c, err := inBubble(t, run)
		if err != nil {
			return err
		}
		if i == 0 {
			base = c.micro
		}
		rows = append(rows, []string{
			c.name, fmt.Sprintf("%.0f", c.bytes), fmt.Sprintf("%.1f µs", c.micro), fmt.Sprintf("%+.1f µs", c.micro-base),
		})
	}
	return table(out, rows)
}

func inUse() float64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func costCall(t *testing.T) (cost, error) {
	client, s, err := stubClient()
	if err != nil {
		return cost{}, err
	}
	tx := costTransactions()[0]
	begin := cpu()
	for range costLimit * costMinutes {
		if _, err := client.Status(t.Context(), tx); err != nil {
			return cost{}, err
		}
	}
	return cost{"the call alone", 0, float64(cpu()-begin) / 1000 / float64(s.calls.Load())}, nil
}

func costGoroutines(t *testing.T) (cost, error) {
	client, s, err := stubClient()
	if err != nil {
		return cost{}, err
	}
	txs := costTransactions()
	ctx, cancel := context.WithCancel(t.Context())
	before := inUse()
	var all sync.WaitGroup
	every := time.Duration(float64(costPending) / costLimit * float64(time.Minute))
	for i, tx := range txs {
		all.Go(func() {
			timer := time.NewTimer(every * time.Duration(i) / costPending)
			defer timer.Stop()
			for {
				select {
				case <-timer.C:
				case <-ctx.Done():
					return
				}
				_, _ = client.Status(ctx, tx)
				timer.Reset(every)
			}
		})
	}
	time.Sleep(every + time.Second) // each has called once: stacks have their size
	bytes := (inUse() - before) / costPending
	calls, begin := s.calls.Load(), cpu()
	time.Sleep(costMinutes * time.Minute)
	used := cpu() - begin
	calls = s.calls.Load() - calls
	cancel()
	all.Wait()
	return cost{"goroutine and timer each", bytes, float64(used) / 1000 / float64(calls)}, nil
}

func costPoller(t *testing.T) (cost, error) {
	client, s, err := stubClient()
	if err != nil {
		return cost{}, err
	}
	p, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: nafath.Limits{StatusChecks: costLimit}, Timeout: time.Hour})
	if err != nil {
		return cost{}, err
	}
	txs := costTransactions()
	before := inUse()
	if err := p.Add(txs...); err != nil {
		return cost{}, err
	}
	time.Sleep(101 * time.Second)
	bytes := (inUse() - before) / costPending
	runtime.KeepAlive(txs)
	calls, begin := s.calls.Load(), cpu()
	time.Sleep(costMinutes * time.Minute)
	used := cpu() - begin
	calls = s.calls.Load() - calls
	if err := p.Close(); err != nil {
		return cost{}, err
	}
	return cost{"nafath.Poller", bytes, float64(used) / 1000 / float64(calls)}, nil
}
