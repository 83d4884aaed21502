package nafath

import "strings"

// Status is the state of a verification. Values that the provider adds later
// are kept as they are.
type Status string

// The documented states. Only StatusWaiting is open.
const (
	// StatusWaiting: the person has not answered yet.
	StatusWaiting Status = "WAITING"
	// StatusCompleted: somebody approved. The details say who; see Poller.Resume.
	StatusCompleted Status = "COMPLETED"
	// StatusRejected: the person declined.
	StatusRejected Status = "REJECTED"
	// StatusExpired: the provider's time ran out.
	StatusExpired Status = "EXPIRED"
	// StatusError: the provider could not carry it out.
	StatusError Status = "ERROR"
)

// Terminal reports whether the state is final. An unknown state is not.
func (s Status) Terminal() bool {
	switch s {
	case StatusCompleted, StatusRejected, StatusExpired, StatusError:
		return true
	default:
		return false
	}
}

// parseStatus recognises the documented states in any case and keeps others.
func parseStatus(s string) Status {
	switch u := Status(strings.ToUpper(strings.TrimSpace(s))); u {
	case StatusWaiting, StatusCompleted, StatusRejected, StatusExpired, StatusError:
		return u
	}
	return Status(s)
}
