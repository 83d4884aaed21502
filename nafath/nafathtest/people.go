package nafathtest

import (
	"context"
	"fmt"
	"time"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// Prompts returns what the people's phones were asked, as Transactions does,
// with how it stands. It makes the fake a [kyctest.Fake].
func (s *Server) Prompts() []kyctest.Prompt {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]kyctest.Prompt, len(s.order))
	for i, tx := range s.order {
		status := tx.current(now)
		out[i] = kyctest.Prompt{
			TransID: tx.id, Random: tx.random, NationalID: tx.nationalID, Status: string(status), Open: status == nafath.StatusWaiting,
		}
	}
	return out
}

// Answer is Approve with the right code, Reject, Expire or Break, by the words
// "approve", "reject", "expire" and "error".
func (s *Server) Answer(transID, answer string) error {
	status, ok := map[string]nafath.Status{
		"approve": nafath.StatusCompleted, "reject": nafath.StatusRejected,
		"expire": nafath.StatusExpired, "error": nafath.StatusError,
	}[answer]
	if !ok {
		return fmt.Errorf("nafathtest: there is no such answer")
	}
	return s.set(transID, status)
}

// Reset forgets the verifications, the calls that count towards the limits, the
// faults and the record. Tokens and SetPerson stay.
func (s *Server) Reset() {
	s.mu.Lock()
	for _, tx := range s.open {
		tx.stop()
	}
	clear(s.open)
	clear(s.byID)
	s.order, s.windows = nil, s.config.windows()
	s.mu.Unlock()
	s.Server.Reset()
}

// magic is what the person of a magic id does, see Config.MagicIDs.
type magic struct {
	answer nafath.Status
	late   bool // answers in the last moment, else after magicDelay
	slow   bool // the provider's answer to the request comes late
	lost   bool // the webhook is lost
	other  bool // the details are another person's
}

const (
	magicDelay = 3 * time.Second  // until a person answers
	magicLate  = 5 * time.Second  // of life that is left when a late person answers
	magicSlow  = 10 * time.Second // until a slow answer
)

func magicOf(nationalID string) (m magic, ok bool) {
	m, ok = map[string]magic{
		"1090000017": {answer: nafath.StatusCompleted},
		"1090000025": {answer: nafath.StatusRejected},
		"1090000033": {answer: nafath.StatusExpired},
		"1090000041": {answer: nafath.StatusError},
		"1090000058": {answer: nafath.StatusCompleted, late: true},
		"1090000066": {answer: nafath.StatusCompleted, slow: true},
		"1090000074": {answer: nafath.StatusCompleted, lost: true},
		"1090000082": {answer: nafath.StatusCompleted, other: true},
	}[nationalID]
	return m, ok
}

// perform lets the person of a magic id act on tx. The lock is held.
func (s *Server) perform(tx *transaction) {
	m, ok := magicOf(tx.nationalID)
	if !ok || !s.config.MagicIDs {
		return
	}
	tx.magic = m
	after := magicDelay
	if m.late {
		after = max(s.config.Lifetime-magicLate, s.config.Lifetime/2)
	}
	tx.person = time.AfterFunc(after, func() { _ = s.set(tx.id, m.answer) })
}

// hold waits before the answer to a request for a slow magic id.
func (m magic) hold(ctx context.Context) {
	if !m.slow {
		return
	}
	timer := time.NewTimer(magicSlow)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
