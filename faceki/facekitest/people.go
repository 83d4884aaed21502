package facekitest

import (
	"errors"
	"fmt"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kyctest"
)

// waiting is the fake's own word for a link that nobody has finished.
const waiting = "WAITING"

// CompleteLink plays the person who opens a link and finishes the
// verification there. It returns the request id, or "" for an unknown link.
func (s *Server) CompleteLink(id string) (requestID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete(s.links[id], s.decision)
}

// complete makes the record of a link. The lock is held.
func (s *Server) complete(l *link, d faceki.Decision) (requestID string) {
	if l == nil {
		return ""
	}
	r := s.newRecord(d)
	r["link"], r["record_identifier"], r["workflowId"] = l.id, l.ApplicationID, l.WorkflowID
	l.status = string(d)
	return fmt.Sprint(r["requestId"])
}

// Prompts returns the links that were handed out, as what people were asked. It
// makes the fake a [kyctest.Fake].
func (s *Server) Prompts() []kyctest.Prompt {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]kyctest.Prompt, len(s.order))
	for i, l := range s.order {
		out[i] = kyctest.Prompt{TransID: l.id, Status: l.status, Open: l.status == waiting}
	}
	return out
}

// Answer finishes a link that waits with the decision ACCEPTED for "approve" and
// DECLINED for "reject", and sends the webhook. "expire" and "error" close the
// link without a record.
func (s *Server) Answer(linkID, answer string) error {
	s.mu.Lock()
	l, requestID := s.links[linkID], ""
	err := kyctest.ErrNoPrompt
	switch {
	case l == nil:
	case l.status != waiting:
		err = errors.New("facekitest: the link is not open")
	case answer == "approve":
		requestID, err = s.complete(l, faceki.DecisionAccepted), nil
	case answer == "reject":
		requestID, err = s.complete(l, faceki.DecisionDeclined), nil
	case answer == "expire", answer == "error":
		l.status, err = "closed", nil
	default:
		err = errors.New("facekitest: there is no such answer")
	}
	s.mu.Unlock()
	if requestID != "" {
		s.Send(s.Completed(requestID))
	}
	return err
}

// Reset forgets links, records, uploads, faults and what arrived. Tokens and
// what was set stay.
func (s *Server) Reset() {
	s.mu.Lock()
	clear(s.links)
	s.order, s.records, s.uploads = nil, nil, nil
	s.mu.Unlock()
	s.Server.Reset()
}
