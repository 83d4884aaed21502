package pollsim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// Policy watches verifications.
type Policy interface {
	// Wait returns the final status.
	Wait(ctx context.Context, tx nafath.Transaction) (nafath.Status, error)
	// Notify passes on a hint.
	Notify(transID string)
	// Close ends the policy.
	Close() error
}

// Builder makes a Policy.
type Builder = func(*nafath.Client, Scenario) (Policy, error)

// world is one run of a scenario.
type world struct {
	Scenario
	fake *nafathtest.Server

	mu     sync.Mutex
	open   map[string]*watched
	ids    []string // of the open ones, for forgers
	others map[string]bool
	begin  time.Time
	checks int
	result Result
}

// watched is what is measured of one open verification.
type watched struct {
	counted bool
	last    time.Time
	most    int // open at most since the last check
}

// Run simulates a scenario under a policy. It must be called in a bubble of
// testing/synctest.
func Run(ctx context.Context, s Scenario, build func(*nafath.Client, Scenario) (Policy, error)) (Result, error) {
	limit := s.Limit * s.scale()
	w := &world{Scenario: s, open: map[string]*watched{}, others: map[string]bool{}, begin: time.Now(), fake: nafathtest.NewServer(nafathtest.Config{
		Options: kyctest.Options{InMemory: true, Discard: true}, Lifetime: s.Lifetime,
		Limits: nafath.Limits{Requests: -1, StatusChecks: limit, Details: -1},
	})}
	defer w.fake.Close()
	if s.Latency > 0 {
		w.fake.Fail("status", 0, kyctest.Fault{Delay: s.Latency})
	}
	cfg := w.fake.ClientConfig()
	cfg.HTTP = kyckit.HTTP{Client: &http.Client{Transport: w}, Retry: kyckit.Retry{MaxAttempts: 1}}
	client, err := nafath.New(cfg)
	if err != nil {
		return Result{}, err
	}
	scaled := s
	scaled.Limit = limit
	policy, err := build(client, scaled)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	for i := range s.Others {
		beside.Go(func() { w.other(ctx, i, client, policy) })
	}
	if s.Forged > 0 {
		beside.Go(func() { w.forge(ctx, policy) })
	}
	if s.Refusal != 0 {
		w.refuseOnce()
	}
	err = w.people(ctx, client, policy)
	minutes := time.Since(w.begin).Minutes()
	cancel()
	beside.Wait()
	if cerr := policy.Close(); err == nil {
		err = cerr
	}
	w.result.sort()
	w.result.Checks = float64(w.checks) / float64(s.People)
	w.result.PerMin = float64(w.checks) / minutes
	w.result.Took = time.Since(w.begin)
	w.result.Limited = w.fake.Limited("status")
	return w.result, err
}

// people lets everybody come, approve and be waited for.
func (w *world) people(ctx context.Context, client *nafath.Client, policy Policy) error {
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i, a := range w.arrivals() {
		time.Sleep(a.at - time.Since(w.begin))
		tx, err := client.Request(ctx, fmt.Sprintf("1%09d", i))
		if err != nil {
			return err
		}
		counted := i >= w.People/10
		w.opened(tx.TransID, counted)
		acts := tx.CreatedAt.Add(a.act)
		if a.act < w.Lifetime {
			time.AfterFunc(a.act+w.Early, func() { _ = w.fake.Approve(tx.TransID, tx.Random) })
			late := a.act % (2 * time.Second)
			if w.Early > 0 {
				late = 0
			}
			if w.Webhooks && (w.WebhooksFor == 0 || i < w.WebhooksFor) {
				time.AfterFunc(a.act+late, func() { policy.Notify(tx.TransID) })
			}
		}
		waiting.Go(func() {
			status, _ := policy.Wait(ctx, tx)
			w.ended(tx.TransID, counted, status, a.act < w.Lifetime, time.Since(acts))
		})
	}
	return nil
}

// other is somebody who never approves and begins again when the time is up.
func (w *world) other(ctx context.Context, i int, client *nafath.Client, policy Policy) {
	for n := 0; ctx.Err() == nil; n++ {
		tx, err := client.Request(ctx, fmt.Sprintf("2%04d%05d", i, n))
		if err != nil {
			return
		}
		w.mu.Lock()
		w.others[tx.TransID] = true
		w.mu.Unlock()
		_, _ = policy.Wait(ctx, tx)
	}
}

// refuseOnce lets one status check of the sixth minute be refused.
func (w *world) refuseOnce() {
	fault := kyctest.Fault{Status: w.Refusal, Header: http.Header{"Retry-After": {fmt.Sprint(int(w.RetryAfter.Seconds()))}}}
	time.AfterFunc(5*time.Minute, func() { w.fake.Fail("status", 1, fault) })
}

func (w *world) opened(id string, counted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[id] = &watched{counted: counted, last: time.Now()}
	w.ids = append(w.ids, id)
	for _, o := range w.open {
		o.most = max(o.most, len(w.open))
	}
}

func (w *world) ended(id string, counted bool, status nafath.Status, approved bool, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, id)
	for i, other := range w.ids {
		if other == id {
			w.ids[i] = w.ids[len(w.ids)-1]
			w.ids = w.ids[:len(w.ids)-1]
			break
		}
	}
	switch {
	case !counted || !approved:
	case status == nafath.StatusCompleted:
		w.result.Delays = append(w.result.Delays, delay)
	default:
		w.result.Lost++
	}
}

// RoundTrip counts the checks as they leave, and hands them to the fake.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost && req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			raw, _ := io.ReadAll(body)
			var in struct {
				TransID string `json:"transId"`
			}
			if json.Unmarshal(raw, &in) == nil && in.TransID != "" {
				w.checked(in.TransID)
				if resp, err := w.beside(req, in.TransID); resp != nil || err != nil {
					return resp, err
				}
			}
		}
	}
	return w.serve(req)
}

// beside answers the checks of those whom the scenario lets fail.
func (w *world) beside(req *http.Request, id string) (*http.Response, error) {
	w.mu.Lock()
	other := w.others[id]
	w.mu.Unlock()
	status := http.StatusInternalServerError
	switch {
	case !other || w.Answer == Waiting:
		return nil, nil // not ours to answer
	case w.Answer == Hanging:
		<-req.Context().Done()
		return nil, req.Context().Err()
	case w.Answer == Unknown:
		status = http.StatusNotFound
	}
	time.Sleep(w.Latency)
	return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// serve lets the fake answer without a network: pipes and their goroutines
// would take most of the time and change nothing.
func (w *world) serve(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			if broken != http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http has it
				panic(broken)
			}
			resp, err = nil, cmp.Or(req.Context().Err(), io.ErrUnexpectedEOF)
		}
	}()
	rec := httptest.NewRecorder()
	w.fake.ServeHTTP(rec, req)
	return rec.Result(), nil
}

func (w *world) checked(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks++
	for minute := int(time.Since(w.begin).Minutes()); len(w.result.Minutes) <= minute; {
		w.result.Minutes = append(w.result.Minutes, 0)
	}
	w.result.Minutes[len(w.result.Minutes)-1]++
	o := w.open[id]
	if o == nil {
		return
	}
	if gap := time.Since(o.last); o.counted {
		turn := float64(o.most) * 60 / float64(w.Limit*w.scale())
		w.result.Gap = max(w.result.Gap, gap)
		w.result.GapRate = max(w.result.GapRate, gap.Seconds()/max(6, 3*turn))
	}
	o.last, o.most = time.Now(), len(w.open)
}

// forge sends hints for verifications picked at random.
func (w *world) forge(ctx context.Context, policy Policy) {
	rng := rand.New(rand.NewPCG(w.Seed, 3))
	tick := time.NewTicker(seconds(1 / w.Forged))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		id := ""
		if len(w.ids) > 0 {
			id = w.ids[rng.IntN(len(w.ids))]
		}
		w.mu.Unlock()
		if id != "" {
			policy.Notify(id)
		}
	}
}
