package storm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
)

// world is one run. It must be made inside a testing/synctest bubble.
type world struct {
	plan   plan
	began  time.Time
	life   context.Context
	end    context.CancelFunc
	people sync.WaitGroup // and what happens to them

	fake       *nafathtest.Server
	public     *kyctest.Server // the product's address for webhooks
	store      *store
	claims     webhook.Claims
	log        *slog.Logger
	records    *records
	hookSecret string
	sealKey    string
	shared     *shared // nil where nothing is shared

	denied atomic.Int64 // requests with a token that the provider does not take

	mu        sync.Mutex
	rand      *rand.Rand
	replicas  []*replica // by slot; nil while it is down
	started   int
	ids       int
	phones    map[string][]nafath.Transaction
	acts      map[string]act // what people did, by transaction
	begins    map[string]int // by person: what was accepted
	handled   map[string]int // by delivery
	strangers map[string]bool
	errors    []string
	disturbed time.Time // the end of the last fault, crash or deploy
	notes     []note
	breaches  []breach
}

// note is a line of the timeline. Who is empty where it concerns everybody.
type note struct {
	at   time.Duration
	who  string
	text string
}

// breach is a broken promise.
type breach struct{ who, text string }

// run lives a world and returns it, over.
func run(p plan) (*world, error) {
	w := &world{
		plan: p, began: time.Now(), store: newStore(), claims: webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{}), records: &records{},
		hookSecret: "whsec_" + base64.StdEncoding.EncodeToString(key("webhooks")), sealKey: string(key("transactions")),
		rand: rand.New(rand.NewPCG(p.seed, 3)), replicas: make([]*replica, p.replicas),
		phones: map[string][]nafath.Transaction{}, acts: map[string]act{}, begins: map[string]int{}, handled: map[string]int{}, strangers: map[string]bool{},
	}
	w.log = slog.New(w.records)
	w.life, w.end = context.WithCancel(context.Background())
	defer w.end()
	if p.shared {
		w.shared = newShared()
		defer w.shared.redis.Close()
	}
	w.newProvider()
	defer w.public.Close()
	defer w.fake.Close()
	for slot := range w.replicas {
		r, err := w.newReplica(slot)
		if err != nil {
			return nil, err
		}
		w.replicas[slot] = r
	}
	var happenings sync.WaitGroup
	for _, f := range p.faults {
		happenings.Go(func() { w.happen(f, w.fault) })
	}
	for _, c := range append(p.crashes, p.deploys...) {
		happenings.Go(func() { w.happen(c, w.restart) })
	}
	for _, s := range p.stores {
		happenings.Go(func() {
			w.happen(s, func(p planned) {
				w.shared.happen(p, fmt.Sprint(p.target))
				w.sleep(p.length)
			})
		})
	}
	if p.foreign {
		happenings.Go(w.foreigner)
	}
	if p.hooks.forged > 0 && !p.hooks.off {
		happenings.Go(w.forge)
	}
	if p.hooks.untrue && !p.hooks.off {
		happenings.Go(w.tell)
	}
	if p.hooks.replayed && !p.hooks.off {
		happenings.Go(w.replay)
	}
	for i, id := range nationalIDs(p.people) {
		w.people.Go(func() { w.person(i, id) })
	}
	w.people.Wait()
	// Whoever answered is to be verified; nobody else comes.
	for range 40 {
		if w.settled() {
			break
		}
		time.Sleep(10 * time.Second)
	}
	w.check()
	w.end()
	happenings.Wait()
	for _, r := range w.replicas {
		if r != nil {
			r.drain(time.Second)
		}
	}
	w.checkLeaks()
	// What still tries to reach the store gives up within minutes. Whatever is
	// left then is a leak, which the bubble reports.
	time.Sleep(10 * time.Minute)
	w.checkRest()
	return w, nil
}

// key makes a key for a purpose. It is the same in every world.
func key(purpose string) []byte {
	sum := sha256.Sum256([]byte("storm " + purpose))
	return sum[:]
}

// happen waits for a planned time and lets it happen.
func (w *world) happen(p planned, do func(planned)) {
	if !w.sleep(p.at) {
		return
	}
	w.note("", "%s begins", p)
	do(p)
	w.calm()
}

// restart kills or drains a process, and starts the next one after a while.
func (w *world) restart(p planned) {
	w.mu.Lock()
	r := w.replicas[p.target]
	w.replicas[p.target] = nil
	w.mu.Unlock()
	if r == nil {
		return // it is down already
	}
	if p.kind == "crash" {
		r.crash()
	} else {
		r.drain(p.length)
	}
	time.Sleep(p.length)
	next, err := w.newReplica(p.target)
	if err != nil {
		w.breach("", "a process cannot start: %v", err)
		return
	}
	w.mu.Lock()
	w.replicas[p.target] = next
	w.mu.Unlock()
	w.note("", "%s is up", next.name)
}

// foreigner is somebody else's program with the same tenant. It leaves something
// for the product, and ends.
func (w *world) foreigner() {
	defer w.calm()
	for time.Since(w.began) < w.plan.arriving+2*time.Minute && w.sleep(15*time.Second) {
		w.fake.Spend(nafathtest.OpStatus, 5)
		w.fake.Spend(nafathtest.OpRequest, 1)
	}
}

// calm notes that something that went wrong is over.
func (w *world) calm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbed = time.Now()
}

// receive is the load balancer in front of the webhook handlers.
func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	if replica := w.any(); replica != nil {
		replica.hook.ServeHTTP(rw, r)
		return
	}
	rw.WriteHeader(http.StatusServiceUnavailable)
}

// any returns a living process.
func (w *world) any() *replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	var alive []*replica
	for _, r := range w.replicas {
		if r != nil {
			alive = append(alive, r)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[w.rand.IntN(len(alive))]
}

// sleep waits, and reports false when the world ends meanwhile.
func (w *world) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-w.life.Done():
		return false
	}
}

// trip is how long a request is on its way to the provider.
func (w *world) trip() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rand.Float64() * float64(w.plan.latency))
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("row-%d", w.ids)
}

// start counts the processes that were started.
func (w *world) start() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started++
	return w.started
}

func (w *world) asked(person string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begins[person]++
}

func (w *world) delivered(id string, r *replica) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !r.dead.Load() {
		w.handled[id]++
	}
}

// saw keeps an error's text for the search for leaks.
func (w *world) saw(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors = append(w.errors, fmt.Sprintf("%v %+v %#v", err, err, err))
}

func (w *world) note(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, note{time.Since(w.began), who, fmt.Sprintf(format, args...)})
}

func (w *world) breach(who, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note(who, "BROKEN: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaches = append(w.breaches, breach{who, text})
}

// story is the timeline of one person, with what concerned everybody.
func (w *world) story(who string) string {
	var b strings.Builder
	for _, n := range w.notes {
		if n.who == who || n.who == "" {
			fmt.Fprintf(&b, "%9.3fs  %-12s %s\n", n.at.Seconds(), n.who, n.text)
		}
	}
	return b.String()
}

// trace keeps what telemetry is told, for the search for leaks.
func (w *world) trace() *kyckit.Trace {
	return &kyckit.Trace{
		Call: func(_ context.Context, call kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
			return nil, func(end kyckit.CallEnd) {
				w.saw(end.Err)
				w.records.write(fmt.Sprintf("%+v %+v\n", call, end))
			}
		},
		Try: func(_ context.Context, _ kyckit.CallInfo, try kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
			return nil, func(end kyckit.TryEnd) { w.records.write(fmt.Sprintf("%+v %+v\n", try, end)) }
		},
	}
}

// records keeps a log for the search for leaks.
type records struct {
	mu sync.Mutex
	b  strings.Builder
}

// Enabled implements slog.Handler.
func (*records) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (r *records) Handle(ctx context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slog.NewTextHandler(&r.b, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(ctx, record)
}

func (r *records) write(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.WriteString(line)
}

func (r *records) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// WithAttrs implements slog.Handler.
func (r *records) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r *records) WithGroup(string) slog.Handler { return r }
