package auth

import "time"

const (
	// vainExchanges is how many exchanges in a row may come of refused tokens
	// without a call that a new token helped; then there is one a refill.
	vainExchanges = 10
	// refusalExchanges is the same for all exchanges that come of refused
	// tokens, those that helped included: a provider of several servers of which
	// one refuses everything looks as if each new token helped.
	refusalExchanges = 60
	refill           = time.Minute
)

// budget bounds the exchanges that come of refused tokens, whoever causes them:
// not more than 120 in any hour. Its times are on a clock that begins at 0, and
// its user guards it.
type budget struct{ vain, all allowance }

// allowance is how much was used, less one a refill.
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

// notVain says of an exchange that it helped, or that it failed and so says
// nothing about the calls.
func (b *budget) notVain() { b.vain.used = max(0, b.vain.used-1) }
