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

// Outcome is a [Decision] without the difference between engine and person.
type Outcome string

// The outcomes. OutcomeUnknown is the zero value.
const (
	// OutcomeUnknown: another decision, or none. It is not a yes.
	OutcomeUnknown Outcome = ""
	// OutcomeApproved: ACCEPTED or APPROVED.
	OutcomeApproved Outcome = "approved"
	// OutcomeDeclined: DECLINED.
	OutcomeDeclined Outcome = "declined"
	// OutcomePendingReview: REVIEW.
	OutcomePendingReview Outcome = "pending review"
)

// Outcome maps ACCEPTED and APPROVED to approved, DECLINED to declined, REVIEW
// to pending review and everything else, other spellings included, to unknown.
func (d Decision) Outcome() Outcome {
	switch d {
	case DecisionAccepted, DecisionApproved:
		return OutcomeApproved
	case DecisionDeclined:
		return OutcomeDeclined
	case DecisionReview:
		return OutcomePendingReview
	default:
		return OutcomeUnknown
	}
}

// Accepted reports whether the person passed: ACCEPTED or APPROVED, spelled
// exactly so. It is the only safe test for a yes.
func (d Decision) Accepted() bool { return d.Outcome() == OutcomeApproved }
