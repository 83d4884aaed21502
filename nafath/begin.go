package nafath

import (
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/transport"
)

// Begin starts a verification that belongs to the Poller and to no request of
// your HTTP server: nothing is lost when the browser goes away. It returns at
// once; Updates tells the place in the queue, the code to show, and the outcome.
// Keep the handle where whoever began finds it again, such as under the session,
// and give it to nobody else: no call finds it by national id.
//
// ErrConflict means that this person has a verification queued, in flight or
// open here. After its end, with ErrTimeout or ErrOutcomeUnknown too, the person
// may begin again, and decides so: an old prompt may still be on the phone.
// ErrRateLimited, with RetryAfter, means that the queue is full or that the
// person has declined again and again; see PollerConfig.MaxQueue and
// AfterRejection. The others are ErrInvalid and ErrClosed. After an error
// nothing was sent.
//
// Whoever can call Begin can prompt strangers' phones and use up the tenant's
// limit: demand a login, and limit by login before you begin.
func (p *Poller) Begin(nationalID string) (*Verification, error) { return p.BeginAs("", nationalID) }

// BeginAs is Begin in the name of an owner, an opaque key such as a login. The
// queue takes turns by owner: whoever queues many waits behind others' first, and
// gives way to them when the queue is full. Begin and Request queue as one owner
// without a name.
func (p *Poller) BeginAs(owner, nationalID string) (*Verification, error) {
	s, err := p.inside("begin")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ticket, err := s.enqueue(s.life, "begin", owner, nationalID)
	if err != nil {
		return nil, err
	}
	e.wanted, e.owned = true, true
	s.showPlaces()
	s.working.Go(func() { _, _ = s.create(s.life, "begin", e, ticket) })
	return &Verification{p: s, e: e}, nil
}

// Continue is Begin for a transaction that was created before: by Request, or by
// a process that stored it and died. Several handles of one transaction share
// its checks and its one details call.
//
// ErrInvalid means what it means for Wait; or that the transaction was created
// longer ago than PollerConfig.ResumeWithin, which is ErrExpired too.
func (p *Poller) Continue(tx Transaction) (*Verification, error) {
	v, err := p.proceed("continue", tx)
	if err != nil {
		return nil, err
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.own(v.e)
	return v, nil
}

func (p *Poller) proceed(op string, tx Transaction) (*Verification, error) {
	s, err := p.inside(op)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !tx.CreatedAt.IsZero() && time.Since(tx.CreatedAt) > s.cfg.ResumeWithin {
		e := transport.InputError(provider, op, "the transaction was created too long ago")
		e.Err = ErrExpired
		return nil, e
	}
	e, err := s.find(op, tx)
	if err != nil {
		return nil, err
	}
	if !e.wanted {
		e.wanted = true
		if e.settled && !e.finished {
			s.identify(e)
		}
	}
	return &Verification{p: s, e: e}, nil
}

// Request starts a verification like Client.Request, paced by the tenant's
// limit, and begins to watch it: Wait for it, or let OnEnd tell. It is for
// callers that need the transaction before anything else; Begin loses no code
// when ctx ends.
//
// Request waits for its slot while ctx allows. When the slot lies beyond the
// deadline of ctx it fails at once with ErrRateLimited and RetryAfter, and
// nothing was sent; callers that are refused together are told different times.
// A 429 was not accepted by the provider, so Request waits and asks again. Any
// other failure after sending ends it; a 5xx or a lost answer is
// ErrOutcomeUnknown and is never sent twice.
//
// ErrConflict and ErrRateLimited are also what they are for Begin. ErrConflict
// further means that the provider answered with a transaction that this Poller
// knows already: its code belongs to whoever began it and is not handed out again.
func (p *Poller) Request(ctx context.Context, nationalID string) (Transaction, error) {
	const op = "request"
	s, err := p.inside(op)
	if err != nil {
		return Transaction{}, err
	}
	s.mu.Lock()
	e, ticket, err := s.enqueue(ctx, op, "", nationalID)
	if err == nil {
		s.link(ctx, e)
	}
	s.mu.Unlock()
	if err != nil {
		return Transaction{}, err
	}
	return s.create(ctx, op, e, ticket)
}

// enqueue gives a person's creation its place in the queue.
func (p *state) enqueue(ctx context.Context, op, owner, nationalID string) (*entry, *poll.Ticket, error) {
	id, ok := p.cfg.Client.ids.normalise(nationalID)
	switch {
	case p.stopped || p.draining:
		return nil, nil, errClosed(op)
	case !ok:
		return nil, nil, errNationalID(op)
	case p.people.open[id] > 0:
		return nil, nil, &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrConflict, Reason: "this person has a verification here that has not ended"}
	}
	if wait := p.people.pause(p.now(), id, p.cfg.AfterRejection); wait > 0 {
		return nil, nil, &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrRateLimited, RetryAfter: wait, Reason: "this person has declined more than once"}
	}
	ticket, err := p.requests.Join(ctx, owner)
	if err != nil {
		return nil, nil, gateError(op, err, nil)
	}
	e := &entry{tx: Transaction{NationalID: id}, since: p.now(), ticket: ticket}
	p.queued[ticket] = e
	p.hold(e)
	return e, ticket, nil
}

// create makes the creation call of a queued entry in its slot, and begins to
// watch what was created.
func (p *state) create(ctx context.Context, op string, e *entry, ticket *poll.Ticket) (Transaction, error) {
	var tx Transaction
	p.replicas.kick()
	err := p.leases.elsewhere(op, e.tx.NationalID)
	if err != nil {
		p.requests.Abandon(ticket)
	} else {
		err = paced(ctx, p.requests, ticket, op, func() (err error) {
			tx, err = p.cfg.Client.request(ctx, e.tx.NationalID, once)
			return err
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.leased = p.leases != nil
	delete(p.queued, ticket)
	if _, known := p.memory.get(foldTransID(tx.TransID)); err == nil && (known || p.open[foldTransID(tx.TransID)] != nil) {
		err = &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrConflict, Reason: "the provider answered with a transaction that is known already"}
	}
	if err != nil {
		p.finish(e, nil, err)
		return Transaction{}, err
	}
	e.tx = tx
	if p.stopped { // it was created all the same: the caller must have it
		p.finish(e, nil, errClosed("wait"))
		return tx, nil
	}
	p.add(e)
	if p.early.heard(foldTransID(tx.TransID), p.now()) && p.sched.Hint(p.now(), e.item) {
		p.kick()
	}
	p.publish(e)
	return tx, nil
}

// paced makes a call in a slot of its own. A 429 waits for a new slot, in
// front of those who have not asked yet; so does the first 401 that refused a
// token, which the client has dropped by then.
func paced(ctx context.Context, gate *poll.Gate, ticket *poll.Ticket, op string, call func() error) error {
	denied := false
	var last *kyckit.Error
	for {
		sent, err := gate.Enter(ctx, ticket)
		if err != nil {
			return gateError(op, err, last)
		}
		err = call()
		after, limited := rateLimited(err)
		refused := !denied && refusedToken(err)
		denied = denied || refused
		var noPlace error
		if limited || refused {
			noPlace = gate.Again(ticket) // before the slot after it can go to another
		}
		if limited {
			gate.Limited(sent, after)
		} else {
			gate.Leave(sent)
		}
		if !limited && !refused {
			return err
		}
		_ = errors.As(err, &last)
		if noPlace != nil {
			return gateError(op, noPlace, last)
		}
	}
}

// gateError is the error of a call that got no slot.
func gateError(op string, err error, last *kyckit.Error) error {
	var late *poll.LateError
	switch {
	case errors.Is(err, poll.ErrClosed):
		return errClosed(op)
	case errors.As(err, &late):
		e := &kyckit.Error{
			Provider: provider, Op: op, Kind: kyckit.ErrRateLimited, RetryAfter: late.After,
			Reason: "the tenant's next slot lies beyond the deadline",
		}
		if late.Full {
			e.Reason = "too many wait for the tenant's slots"
		}
		if last != nil {
			e.StatusCode, e.Attempts = last.StatusCode, 1
		}
		return e
	default:
		return &kyckit.Error{Provider: provider, Op: op, Kind: err, Reason: "while waiting for a slot"}
	}
}

// rateLimited reports a 429 of the call itself, not of the token endpoint.
func rateLimited(err error) (after time.Duration, limited bool) {
	var e *kyckit.Error
	if errors.As(err, &e) && errors.Is(e, kyckit.ErrRateLimited) && !noToken(e) {
		return e.RetryAfter, true
	}
	return 0, false
}

// refusedToken reports that the call itself was answered with 401, by HTTP or by
// the envelope of a 200.
func refusedToken(err error) bool {
	var e *kyckit.Error
	return errors.As(err, &e) && e.StatusCode != 0 && errors.Is(e, kyckit.ErrUnauthorized) && !noToken(e)
}

// noToken reports that the token call failed: its error is inside.
func noToken(e *kyckit.Error) bool {
	var inner *kyckit.Error
	return errors.As(e.Err, &inner)
}
