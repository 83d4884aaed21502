package nafath

// Limits are the calls per minute that a tenant may make. A zero field means
// the documented limit.
type Limits struct {
	Requests     int // verifications started; documented: 10
	StatusChecks int // status checks; documented: 60
	Details      int // details read; documented: 30
}
