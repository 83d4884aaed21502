package kyctest

import (
	"errors"

	"github.com/kyckit/kyckit"
)

// Fake is a provider's fake as its people and its operator see it, for [Phone]
// and [Admin]. Every fake of this module is one; a [Server] by itself has nobody
// to prompt.
type Fake interface {
	// Prompts returns what people were asked, in order.
	Prompts() []Prompt
	// Answer is the person's answer to a prompt: "approve", "reject", or what
	// happens without one: "expire", "error". An answer that does not exist, or
	// comes to a prompt that is not open, is an error.
	Answer(transID, answer string) error
	// Reset forgets prompts, limits, faults and the record. Tokens stay.
	Reset()
	// Fail, Requests and Operations are those of Server.
	Fail(op string, n int, f Fault)
	Requests(op string) []Request
	Operations() []string
}

// Prompt is a request that waits, or waited, for a person. Its JSON is in clear.
type Prompt struct {
	kyckit.Redacted `json:"-"`

	TransID string `json:"transId"`
	// Random is the number to be matched, "" where the provider shows none.
	Random string `json:"random"`
	// NationalID is who was asked, "" where the provider does not know.
	NationalID string `json:"nationalId"`
	// Status is the provider's word for how it stands.
	Status string `json:"status"`
	// Open is whether it can be answered.
	Open bool `json:"-"`
}

// ErrNoPrompt is returned for an answer to what nobody was asked.
var ErrNoPrompt = errors.New("kyctest: there is no such prompt")

// Prompts returns nil: a Server prompts nobody. Fakes that do have their own.
func (*Server) Prompts() []Prompt { return nil }

// Answer returns ErrNoPrompt: a Server prompts nobody. Fakes that do have their
// own.
func (*Server) Answer(string, string) error { return ErrNoPrompt }

// Reset forgets faults, counts and the record. Tokens stay. A fake's own Reset
// forgets what the fake has stored, too.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
	s.faults, s.requests = nil, nil
}

// Operations returns the operations that Handle was given, in order, and
// OpOther.
func (s *Server) Operations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(append([]string(nil), s.operations...), OpOther)
}
