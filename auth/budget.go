package auth

import "time"

const (
	// vainExchanges is how many exchanges in a row may follow from refused
	// tokens without a new token that helped a call; then one more is allowed
	// every refill.
	vainExchanges = 10
	// refusalExchanges bounds in the same way all exchanges that follow from
	// refused tokens, those that helped included: where one of a provider's
	// servers refuses everything, each new token seems to help.
	refusalExchanges = 60
	refill           = time.Minute
)

// budget bounds the exchanges that follow from refused tokens, whoever causes
// them, to 120 in any hour. Its times count from 0, and its user holds a lock.
type budget struct{ vain, all allowance }

// allowance counts exchanges. Every refill takes one off the count.
type allowance struct {
	used float64
	at   time.Duration
}

func (a *allowance) settle(now time.Duration) {
	a.used = max(0, a.used-float64(now-a.at)/float64(refill))
	a.at = now
}

// take reports whether an exchange may be made, and counts it.
func (b *budget) take(now time.Duration) bool {
	b.vain.settle(now)
	b.all.settle(now)
	if b.vain.used+1 > vainExchanges || b.all.used+1 > refusalExchanges {
		return false
	}
	b.vain.used++
	b.all.used++
	return true
}

// notVain corrects the count after an exchange that helped a call, or that
// failed and so says nothing about the calls.
func (b *budget) notVain() { b.vain.used = max(0, b.vain.used-1) }
