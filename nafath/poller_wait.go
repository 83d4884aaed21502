package nafath

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/transport"
)

// entry is one open verification.
type entry struct {
	tx       Transaction
	item     *poll.Item[*entry]
	status   Status // last seen; "" before the first answer
	checking bool
	checks   int
	checked  time.Duration
	failure  error         // of the last check
	done     chan struct{} // closed when it ends; nil while nobody waits
	ended    bool
	err      error // why it ended without a final status
	watchers []chan struct{}
	told     chan struct{} // closed when the callbacks know; nil without any
}

// Wait blocks until the verification ends and returns its final status with a
// nil error, whatever the status. Any number of callers may wait for the same
// transaction. A transaction that the Poller does not know, say one read from
// your database after a restart, is watched from now on; ten thousand at once
// cause no burst. One that ended already is answered at once from memory.
//
// A verification that stays open until PollerConfig.Timeout after its
// CreatedAt gets a last check; then the error is ErrTimeout, with the last
// status seen. The prompt may still be open on the phone. Where many are open
// for the limits, the last check may come late, by up to 3 x pending x 60 s /
// limit: give ctx a deadline of its own if you cannot wait for it. When ctx ends the
// error is the context's and the verification stays watched. After Close the
// error is ErrClosed.
//
// StatusCompleted does not yet say who approved. Resume waits too, and then reads
// and compares the details within the tenant's limit.
//
// ErrInvalid means that TransID, Random or NationalID is missing, or that another
// transaction with this TransID is known: nobody learns the outcome of somebody
// else's. A zero CreatedAt counts as now.
func (p *Poller) Wait(ctx context.Context, tx Transaction) (Status, error) {
	p.mu.Lock()
	e, status, err := p.track(tx)
	if e == nil {
		p.mu.Unlock()
		return status, err
	}
	if e.done == nil {
		e.done = make(chan struct{})
	}
	p.mu.Unlock()
	select {
	case <-e.done:
		p.told(e)
		if e.err != nil {
			return e.status, e.err
		}
		return e.status, nil
	case <-ctx.Done():
		return "", &kyckit.Error{Provider: provider, Op: "wait", Kind: ctx.Err()}
	}
}

// Add begins to watch transactions without waiting for them, for a restart
// that restores many: OnStatus and OnEnd tell what becomes of them, and Wait or
// Resume may join at any time. It stops at the first one that is refused, with
// an error as from Wait.
func (p *Poller) Add(txs ...Transaction) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tx := range txs {
		if _, _, err := p.track(tx); err != nil {
			return err
		}
	}
	return nil
}

// Notify says that the transaction may have changed, for example because an
// authenticated webhook says so. It asks for a check soon and proves nothing:
// one transaction is checked for hints at most once in 5 s, hints use at most
// a quarter of the limit, and unknown ids cost nothing. It never blocks.
func (p *Poller) Notify(transID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.open[transID]; e != nil {
		if p.sched.Hint(e.item) {
			p.kick()
		}
		return
	}
	if r, ok := p.memory.get(transID); ok && r.unannounced {
		p.sched.LateHint(p.now(), r.at)
		r.unannounced = false
		p.memory.records[transID] = r
	}
}

// track returns the open entry of tx, made now if need be, or its outcome.
func (p *state) track(tx Transaction) (*entry, Status, error) {
	const op = "wait"
	id, ok := p.cfg.Client.ids.normalise(tx.NationalID)
	switch {
	case p.stopped:
		return nil, "", errClosed(op)
	case !ok:
		return nil, "", errNationalID(op)
	case tx.TransID == "":
		return nil, "", transport.InputError(provider, op, "the transaction has no TransID")
	case tx.Random == "":
		return nil, "", transport.InputError(provider, op, "the transaction has no Random")
	}
	tx.NationalID = id
	if e := p.open[tx.TransID]; e != nil {
		if e.tx.Random != tx.Random || e.tx.NationalID != tx.NationalID {
			return nil, "", errOther()
		}
		return e, "", nil
	}
	if r, ok := p.memory.get(tx.TransID); ok {
		if r.print != p.print(tx) {
			return nil, "", errOther()
		}
		if r.status.Terminal() {
			return nil, r.status, nil
		}
	}
	return p.add(tx), "", nil
}

func errOther() *kyckit.Error {
	return transport.InputError(provider, "wait", "another transaction with this TransID is known")
}

// add begins to watch tx.
func (p *state) add(tx Transaction) *entry {
	now := p.now()
	age := time.Duration(0)
	if !tx.CreatedAt.IsZero() {
		age = min(max(0, time.Since(tx.CreatedAt)), maxSpan)
	}
	e := &entry{tx: tx}
	e.item = p.sched.Add(now, age, p.cfg.Timeout-age, e)
	p.open[tx.TransID] = e
	if !p.looping {
		p.looping = true
		p.working.Go(p.loop)
	}
	p.kick()
	return e
}

// end takes an entry out with its last status, and err when that is not final.
func (p *state) end(e *entry, status Status, err error) {
	p.sched.Remove(e.item)
	delete(p.open, e.tx.TransID)
	e.status, e.err, e.ended = status, err, true
	p.finished++
	p.memory.put(e.tx.TransID, record{
		status:      status,
		print:       p.print(e.tx),
		at:          p.now(),
		unannounced: (status == StatusCompleted || status == StatusRejected) && !e.item.Announced(),
	})
	if p.cfg.OnStatus != nil || p.cfg.OnEnd != nil {
		e.told = make(chan struct{})
		p.announce(note{tx: e.tx, status: status, err: err, told: e.told})
	}
	if e.done != nil {
		close(e.done)
	}
	e.tell()
}

// print stands for the parts of a transaction that memory need not keep.
func (p *state) print(tx Transaction) uint64 {
	return maphash.Comparable(p.seed, [2]string{tx.Random, tx.NationalID})
}

// record is what is remembered of a verification that ended.
type record struct {
	print  uint64
	at     time.Duration
	status Status
	// unannounced: somebody acted and no hint said so yet, so that a webhook
	// may be on its way.
	unannounced bool
}

// memory keeps the last so many records.
type memory struct {
	records map[string]record
	ring    []string
	next    int
	size    int
}

func newMemory(size int) memory { return memory{records: map[string]record{}, size: size} }

func (m *memory) get(id string) (record, bool) {
	r, ok := m.records[id]
	return r, ok
}

func (m *memory) put(id string, r record) {
	if old, known := m.records[id]; known {
		if !old.status.Terminal() { // what is final stays
			m.records[id] = r
		}
		return
	}
	if len(m.ring) < m.size {
		m.ring = append(m.ring, id)
	} else {
		delete(m.records, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % m.size
	}
	m.records[id] = r
}
