package faceki

// Decision is the provider's verdict, in a record and as the status of a
// webhook. Values that this version does not know are kept as they came.
type Decision string

// The documented decisions.
const (
	// DecisionAccepted is the engine's yes.
	DecisionAccepted Decision = "ACCEPTED"
	// DecisionApproved is a person's yes, given in the portal.
	DecisionApproved Decision = "APPROVED"
	// DecisionDeclined is a no, by the engine or by a person. It is a result,
	// not an error.
	DecisionDeclined Decision = "DECLINED"
	// DecisionReview waits for a person in the portal.
	DecisionReview Decision = "REVIEW"
)

// Accepted reports whether the person passed: ACCEPTED or APPROVED, spelled
// exactly so. It is the only safe test for a yes.
func (d Decision) Accepted() bool { return d == DecisionAccepted || d == DecisionApproved }
