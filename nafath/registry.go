package nafath

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/transport"
)

// entry is one verification, from its place in the queue of creations to the
// compared details. It is guarded by the Poller's mutex.
type entry struct {
	tx Transaction // of a creation that is not answered, the NationalID alone

	caller context.Context // who asked or waits, for [Origin]; nil unless traced

	// While it is queued.
	ticket *poll.Ticket
	place  int           // 0 while the creation is in flight
	due    time.Duration // when its slot comes

	// While it is open.
	item    *poll.Item[*entry]
	born    time.Duration // by its CreatedAt
	since   time.Duration // when it was first watched
	status  Status        // last seen; "" before the first answer
	checks  int
	checked time.Duration // when the last check was sent; since before the first
	gap     time.Duration // between the last check and what checked was before it
	failure error         // of the last check, without what the provider sent
	waiters int           // how many wait
	owned   bool          // somebody hears of its end without waiting
	calling bool          // a check or the call that proves its end is in flight

	// When its status is final, or it ended without.
	settled bool
	err     error  // why it ended without a final status
	code    string // the provider's code that decided it, if one did

	// When nothing more follows: the details were compared, or there are none.
	wanted   bool // somebody wants the details
	finished bool
	person   *Details
	outcome  error

	leased    bool          // its person's lease was asked for
	held      bool          // it counts in busy, and in people for its person
	done      chan struct{} // closed when settled; nil while nobody waits
	over      chan struct{} // closed when finished; nil while nobody waits
	told      chan struct{} // closed when the callbacks know; nil without any
	followers []*follower
	expiry    *time.Timer // of kept details
}

// doneChan is closed when the entry is settled, overChan when it is finished.
func (e *entry) doneChan() <-chan struct{} { return signal(&e.done, e.settled) }
func (e *entry) overChan() <-chan struct{} { return signal(&e.over, e.finished) }

// signal makes a channel when somebody first wants it.
func signal(c *chan struct{}, already bool) <-chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
		if already {
			close(*c)
		}
	}
	return *c
}

// Add begins to watch transactions without waiting for them, for a restart
// that restores many: OnStatus and OnEnd tell what becomes of them, and Wait,
// Resume or Continue may join at any time. Those that are refused keep the
// others from nothing: the error joins one of kind ErrInvalid for each, which
// names its index. After Close it is ErrClosed.
func (p *Poller) Add(txs ...Transaction) error {
	s, err := p.inside("add")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused []error
	for i, tx := range txs {
		e, err := s.find("add", tx)
		if err != nil {
			if errors.Is(err, ErrClosed) {
				return err
			}
			refused = append(refused, fmt.Errorf("transaction %d: %w", i, err))
			continue
		}
		s.own(e)
	}
	return errors.Join(refused...)
}

// Forget ends the watch over a transaction that nobody waits for any more, for
// example because the person left: it costs no more checks, waits for it end with
// ErrClosed, and the person may begin again. The prompt may stay on the phone.
func (p *Poller) Forget(transID string) {
	s, err := p.inside("forget")
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.open[foldTransID(transID)]; e != nil {
		err := errClosed("wait")
		err.Reason = "the transaction was forgotten"
		s.settle(e, e.status, err)
	}
}

// find returns the entry of a transaction: the open one, the one whose details
// are on the way or came a short while ago, one made of what is remembered, or
// one that is watched from now on.
func (p *state) find(op string, tx Transaction) (*entry, error) {
	id, ok := p.cfg.Client.ids.normalise(tx.NationalID)
	switch {
	case p.stopped:
		return nil, errClosed(op)
	case !ok:
		return nil, errNationalID(op)
	case tx.TransID == "":
		return nil, transport.InputError(provider, op, "the transaction has no TransID")
	case tx.Random == "":
		return nil, transport.InputError(provider, op, "the transaction has no Random")
	}
	tx.NationalID = id
	k := foldTransID(tx.TransID)
	for _, e := range []*entry{p.open[k], p.kept[k]} {
		if e != nil {
			if e.tx.Random != tx.Random || e.tx.NationalID != tx.NationalID {
				return nil, errOther(op)
			}
			return e, nil
		}
	}
	if r, ok := p.memory.get(k); ok {
		if r.print != p.print(tx) {
			return nil, errOther(op)
		}
		if r.status.Terminal() {
			e := &entry{tx: tx, status: r.status, code: r.code, settled: true}
			if e.status != StatusCompleted {
				e.finished, e.outcome = true, outcomeOf(e)
			}
			return e, nil
		}
	}
	e := &entry{tx: tx}
	p.add(e)
	return e, nil
}

func errOther(op string) *kyckit.Error {
	return transport.InputError(provider, op, "another transaction with this TransID is known")
}

// hold counts an entry as busy and its person as having one here.
func (p *state) hold(e *entry) {
	e.held = true
	p.busy++
	p.people.enter(e.tx.NationalID)
}

// release undoes hold.
func (p *state) release(e *entry) {
	if e.held {
		e.held = false
		p.busy--
		p.people.leave(e.tx.NationalID)
		if e.leased && p.people.open[e.tx.NationalID] == 0 {
			p.leases.free(e.tx.NationalID)
		}
		p.settled()
	}
}

// add begins to watch an entry that has its transaction.
func (p *state) add(e *entry) {
	now := p.now()
	age := time.Duration(0)
	if !e.tx.CreatedAt.IsZero() {
		age = min(max(0, time.Since(e.tx.CreatedAt)), maxSpan)
	}
	if !e.held {
		p.hold(e)
	}
	e.born, e.since, e.checked = now-age, now, now
	e.item = p.sched.Add(now, age, p.cfg.Timeout-age, e)
	p.signals.await(e)
	if !e.leased {
		e.leased = true
		p.leases.takeOver(e.tx.NationalID)
	}
	p.open[foldTransID(e.tx.TransID)] = e
	if !p.looping {
		p.looping = true
		p.working.Go(p.loop)
	}
	p.kick()
}

// own notes that somebody hears of an entry's end without waiting for it.
func (p *state) own(e *entry) {
	e.owned = true
	p.attend(e, 0)
}

// attend counts who waits for an entry. Checks go first to entries that somebody
// waits for.
func (p *state) attend(e *entry, more int) {
	e.waiters += more
	if e.item != nil && !e.settled {
		p.sched.Wanted(e.item, e.owned || e.waiters > 0)
	}
}

// settle takes an entry out with its last status, and err when that is not final.
func (p *state) settle(e *entry, status Status, err error) {
	p.sched.Remove(e.item)
	k, now := foldTransID(e.tx.TransID), p.now()
	delete(p.open, k)
	p.signals.forget(e)
	p.change(e, status)
	e.err, e.settled = err, true
	p.finished++
	p.people.ended(now, e.tx.NationalID, status)
	p.memory.put(k, record{
		status:      status,
		code:        e.code,
		print:       p.print(e.tx),
		at:          now,
		unannounced: (status == StatusCompleted || status == StatusRejected) && !e.item.Announced(),
	})
	p.announceEnd(e)
	if e.done != nil {
		close(e.done)
	}
	switch {
	case err != nil:
		p.finish(e, nil, err)
	case status != StatusCompleted:
		p.finish(e, nil, outcomeOf(e))
	case e.person != nil || e.outcome != nil: // the details have proved it
		p.keep(e)
		p.finish(e, e.person, e.outcome)
	case e.wanted:
		p.identify(e)
	default:
		p.release(e)
	}
}

// finish files the compared details, or the error, after which nothing follows.
func (p *state) finish(e *entry, d *Details, err error) {
	e.person, e.outcome, e.finished = d, err, true
	p.release(e)
	p.publish(e)
	if e.over != nil {
		close(e.over)
	}
}

// print is a hash of the parts of a transaction that memory need not keep.
func (p *state) print(tx Transaction) uint64 {
	return maphash.Comparable(p.seed, [2]string{tx.Random, tx.NationalID})
}
