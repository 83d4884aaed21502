package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

// QueueConfig configures NewQueue. The zero value is a good default.
type QueueConfig struct {
	// Workers is how many deliveries are handled at once. Zero means 4.
	Workers int
	// Size is how many deliveries may wait, be handled or be waiting for
	// another try. Zero means 256. When it is full, senders are told to try
	// again later.
	Size int
	// MaxAttempts is how often Handle is tried for one delivery. Zero means 3.
	MaxAttempts int
	// MinWait is the wait before the second try; it doubles from try to try up
	// to MaxWait. Zero means 1 s and 30 s.
	MinWait, MaxWait time.Duration
	// OnFailure, if set, is called for a delivery that is given up: after the
	// last try, for one that is ErrMalformed, or, with an error that is
	// context.Canceled, when the context of Shutdown ends. Its sender was told
	// that it arrived, so this is the last chance to keep it. It must be safe for
	// concurrent use.
	OnFailure func(context.Context, *Delivery, error)
}

// Queue handles deliveries after their senders were answered. A handler with a
// Queue answers 200 when the queue has taken a delivery, and 503 when it is
// full. The delivery is then claimed but not committed: a copy that arrives
// meanwhile is answered 503, one that arrives afterwards 200.
//
// The queue lives in memory. What it holds is lost when the process dies, while
// the sender believes it arrived. Where that matters, use no Queue and let
// Handle write the delivery to a durable store.
//
// Several handlers may share a Queue. It owns no goroutine while it is empty.
// It is safe for concurrent use.
type Queue struct {
	cfg QueueConfig

	mu      sync.Mutex
	lines   map[string]*line // by order key
	ready   []*line          // lines whose first job may run
	waiting map[*line]*time.Timer
	running map[*job]struct{}
	pending int
	workers int
	closed  bool
	aborted bool
	empty   chan struct{} // closed when closed and nothing is pending
}

// line holds the jobs of one order key, of which only the first may run.
type line struct {
	jobs []*job
}

// NewQueue returns an empty Queue. A wrong configuration is an error of the
// kind kyckit.ErrInvalid.
func NewQueue(cfg QueueConfig) (*Queue, error) {
	if cfg.Workers < 0 || cfg.Size < 0 || cfg.MaxAttempts < 0 || cfg.MinWait < 0 || cfg.MaxWait < 0 {
		return nil, invalid("queue", "Workers, Size, MaxAttempts, MinWait and MaxWait may not be negative")
	}
	cfg.Workers, cfg.Size, cfg.MaxAttempts = cmp.Or(cfg.Workers, 4), cmp.Or(cfg.Size, 256), cmp.Or(cfg.MaxAttempts, 3)
	cfg.MinWait, cfg.MaxWait = cmp.Or(cfg.MinWait, time.Second), cmp.Or(cfg.MaxWait, 30*time.Second)
	return &Queue{
		cfg: cfg, lines: map[string]*line{}, waiting: map[*line]*time.Timer{}, running: map[*job]struct{}{}, empty: make(chan struct{}),
	}, nil
}

// Format implements fmt.Formatter: order keys may be personal.
func (*Queue) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook queue") }

// Shutdown takes no more deliveries and waits until all are handled, tries that
// are still due included. When ctx ends first, it cancels what is running,
// reports the rest to OnFailure, gives it back to the Claims and returns ctx's
// error; what is running is reported as soon as Handle heeds its context. It may
// be called again, to wait for that.
//
// Shut the HTTP server down before the queue, and what Handle uses after it.
func (q *Queue) Shutdown(ctx context.Context) error {
	if q == nil || q.empty == nil { // not made by NewQueue
		return nil
	}
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.checkEmpty()
	}
	q.mu.Unlock()
	select {
	case <-q.empty:
		return nil
	default:
	}
	select {
	case <-q.empty:
		return nil
	case <-ctx.Done():
		q.abort() // what is left must be given back although ctx is over
		return ctx.Err()
	}
}

// abort gives up all that is not running, before it returns: the process may end
// then.
func (q *Queue) abort() {
	q.mu.Lock()
	q.aborted = true
	lines := q.ready
	q.ready = nil
	for l, timer := range q.waiting {
		timer.Stop()
		lines = append(lines, l)
	}
	clear(q.waiting)
	var rest []*job
	for _, l := range lines {
		rest = append(rest, l.jobs...)
		delete(q.lines, l.jobs[0].order)
	}
	for j := range q.running {
		j.cancel()
		if l := q.lines[j.order]; l != nil {
			rest = append(rest, l.jobs[1:]...)
			l.jobs = l.jobs[:1]
		}
	}
	q.mu.Unlock()
	for _, j := range rest {
		q.failed(j, errCutShort())
	}
	var released sync.WaitGroup // at once, since a store may be slow
	for _, j := range rest {
		released.Go(func() { j.release(j.ctx) })
	}
	released.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending -= len(rest)
	q.checkEmpty()
}

func (q *Queue) submit(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.pending >= q.cfg.Size {
		reason := "the queue is full"
		if q.closed {
			reason = "the queue is shut down"
		}
		return &kyckit.Error{Provider: provider, Op: "queue", Kind: kyckit.ErrUnavailable, Reason: reason}
	}
	q.pending++
	if l := q.lines[j.order]; l != nil && j.order != "" {
		l.jobs = append(l.jobs, j)
		return nil
	}
	l := &line{jobs: []*job{j}}
	if j.order != "" {
		q.lines[j.order] = l
	}
	q.wake(l)
	return nil
}

// wake makes a line ready and starts a worker, if there may be one more.
func (q *Queue) wake(l *line) {
	q.ready = append(q.ready, l)
	if q.workers < q.cfg.Workers {
		q.workers++
		go q.work()
	}
}

// work handles jobs until none is ready.
func (q *Queue) work() {
	q.mu.Lock()
	var current *line
	defer func() {
		q.workers--
		if current != nil { // Handle ended this goroutine: the job is given up
			delete(q.running, current.jobs[0])
			q.next(current, 0)
			if len(q.ready) > 0 {
				q.workers++
				go q.work()
			}
		}
		q.mu.Unlock()
	}()
	for len(q.ready) > 0 {
		l := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		j := l.jobs[0]
		ctx := newHandleContext(j.ctx, time.Now(), j.work.HandleTimeout)
		j.cancel = ctx.end
		q.running[j] = struct{}{}
		current = l
		wait := q.unlocked(j, ctx)
		current = nil
		delete(q.running, j)
		q.next(l, wait)
	}
}

// unlocked runs a job without holding the lock.
func (q *Queue) unlocked(j *job, ctx *handleContext) time.Duration {
	aborted := q.aborted
	q.mu.Unlock()
	defer q.mu.Lock()
	return q.run(j, ctx, aborted)
}

// next decides what becomes of a line whose first job has run: wait is when it
// runs again, zero when it is done.
func (q *Queue) next(l *line, wait time.Duration) {
	if wait > 0 && !q.aborted {
		q.waiting[l] = time.AfterFunc(wait, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			if _, ok := q.waiting[l]; ok { // not given up meanwhile
				delete(q.waiting, l)
				q.wake(l)
			}
		})
		return
	}
	if wait > 0 {
		q.ready = append(q.ready, l)
		return
	}
	order := l.jobs[0].order
	l.jobs[0] = nil
	l.jobs = l.jobs[1:]
	q.pending--
	if len(l.jobs) > 0 {
		q.ready = append(q.ready, l)
	} else if order != "" {
		delete(q.lines, order)
	}
	q.checkEmpty()
}

func (q *Queue) checkEmpty() {
	if q.closed && q.pending == 0 {
		select {
		case <-q.empty:
		default:
			close(q.empty)
		}
	}
}

// run handles a job once and returns the wait until its next try, zero when
// there is none.
func (q *Queue) run(j *job, ctx *handleContext, aborted bool) time.Duration {
	var err error = errCutShort()
	if !aborted {
		j.attempts++
		finished := false
		defer func() {
			if !finished { // runtime.Goexit
				q.failed(j, &kyckit.Error{Provider: provider, Op: "queue", Kind: kyckit.ErrUnavailable, Reason: "Handle left its goroutine"})
			}
		}()
		err = j.handle(ctx)
		finished = true
	}
	if err == nil || errors.Is(err, ErrDuplicate) {
		if err := j.commit(j.ctx); err != nil {
			j.work.report(j.ctx, resultOf(j.delivery, Handled, err))
		}
		return 0
	}
	if !aborted && !errors.Is(err, ErrMalformed) && j.attempts < q.cfg.MaxAttempts {
		wait := q.cfg.MinWait
		for n := 1; n < j.attempts && wait < q.cfg.MaxWait; n++ {
			wait += min(wait, math.MaxInt64-wait)
		}
		return min(wait, q.cfg.MaxWait)
	}
	j.release(j.ctx)
	q.failed(j, err)
	return 0
}

// errCutShort is why a delivery that Shutdown had no time for is given up.
func errCutShort() *kyckit.Error {
	return &kyckit.Error{
		Provider: provider, Op: "queue", Kind: kyckit.ErrUnavailable, Reason: "given up by a shutdown", Err: context.Canceled,
	}
}

// failed reports a job that is given up.
func (q *Queue) failed(j *job, err error) {
	j.work.report(j.ctx, resultOf(j.delivery, Failed, err))
	defer func() { _ = recover() }() // a hook's panic must not stop the queue
	if q.cfg.OnFailure != nil {
		q.cfg.OnFailure(j.ctx, j.delivery, err)
	}
}
