package nafath

import (
	"context"
	"time"

	"github.com/kyckit/kyckit"
)

// leaseBeyond is how much longer than its verification a person's lease lasts, for
// a replica that cannot give it back.
const leaseBeyond = time.Minute

// mostBeside bounds the calls of a store that hangs.
const mostBeside = 64

// besides returns a func that calls the store in a goroutine of its own, unless
// too many such calls hang. Close does not wait for them.
func besides(p *state) func(call func(ctx context.Context)) (begun bool) {
	slots := make(chan struct{}, mostBeside)
	return func(call func(ctx context.Context)) bool {
		select {
		case slots <- struct{}{}:
		default:
			return false
		}
		go func() {
			defer func() { <-slots }()
			call(context.WithoutCancel(p.life))
		}()
		return true
	}
}

// leases keeps a person from being prompted by two replicas at once. A store that
// does not answer keeps nobody from anything.
type leases struct {
	p      *state
	beside func(call func(ctx context.Context)) bool
}

func newLeases(p *state) *leases { return &leases{p: p, beside: besides(p)} }

// elsewhere takes the person's lease. It returns an error when another replica has it.
func (l *leases) elsewhere(op, nationalID string) error {
	if l == nil {
		return nil
	}
	answer := l.hold(nationalID, false)
	timer := time.NewTimer(abandonAfter)
	defer timer.Stop()
	select {
	case held := <-answer:
		if !held {
			return &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrConflict, Reason: "this person has a verification at another replica that has not ended"}
		}
	case <-timer.C:
	case <-l.p.stop:
	}
	return nil
}

// takeOver takes the lease away from a replica that is gone.
func (l *leases) takeOver(nationalID string) {
	if l != nil {
		l.hold(nationalID, true)
	}
}

// hold asks for the lease. Nothing comes from the channel while too many calls hang.
func (l *leases) hold(nationalID string, take bool) <-chan bool {
	budget, name, lease := l.p.cfg.Budget, l.p.replicas.name, l.p.cfg.Timeout+leaseBeyond
	answer := make(chan bool, 1)
	l.beside(func(ctx context.Context) {
		held, err := budget.Hold(ctx, name, nationalID, lease, take)
		answer <- held || err != nil
	})
	return answer
}

// free gives the lease back.
func (l *leases) free(nationalID string) {
	if l != nil {
		budget, name := l.p.cfg.Budget, l.p.replicas.name
		l.beside(func(ctx context.Context) { _ = budget.Free(ctx, name, nationalID) })
	}
}
