package poll

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// watch feeds a curve items that end after act() seconds and are looked at
// every gap seconds.
func watch(c *Curve, n int, gap float64, act func() float64) {
	for range n {
		ends := act()
		for from := 0.0; from < 180; from += gap {
			a, b := time.Duration(from*1e9), time.Duration((from+gap)*1e9)
			if ends <= from+gap {
				c.Ended(a, b)
				break
			}
			c.Open(a, b)
		}
	}
}

func TestCurveLearnsFromRoughChecks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	act := func() float64 {
		if rng.Float64() < 0.15 {
			return 1e9
		}
		return 20 * math.Exp(0.75*rng.NormFloat64())
	}
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	ended := func(age float64) float64 { return 0.85 * phi(math.Log(age/20)/0.75) }

	c := NewCurve()
	watch(c, 4000, 7, act)
	for _, age := range []float64{5, 10, 20, 30, 45, 60, 90} {
		got := -math.Expm1(-c.Risk(0, time.Duration(age*1e9)))
		assert.InDeltaf(t, ended(age), got, 0.04, "share that ended by %v s", age)
	}
}

func TestCurveStartsFlatAndFollowsAChange(t *testing.T) {
	c := NewCurve()
	assert.InDelta(t, c.Risk(0, 10*sec), c.Risk(100*sec, 110*sec), 1e-9, "nothing is known yet")
	assert.Positive(t, c.Risk(20*time.Minute, 21*time.Minute), "beyond the table too")

	rng := rand.New(rand.NewPCG(3, 4))
	watch(c, 3000, 5, func() float64 { return 12 + rng.Float64()*4 })
	assert.Greater(t, c.Risk(12*sec, 16*sec), 10*c.Risk(2*sec, 6*sec))
	watch(c, 6000, 5, func() float64 { return 60 + rng.Float64()*4 })
	assert.Greater(t, c.Risk(60*sec, 64*sec), 3*c.Risk(12*sec, 16*sec), "the old is forgotten")
}

func TestCurveSharesOutOneEnd(t *testing.T) {
	c := NewCurve()
	c.Ended(3*sec, 50*sec)
	total := 0.0
	for b := range buckets {
		total += c.ends[b]
		assert.GreaterOrEqual(t, c.watched[b], 0.0)
	}
	assert.InDelta(t, 1, total, 1e-9)
	c.Ended(5*sec, 5*sec) // no time passed: nothing to learn
	c.Ended(6*sec, 5*sec)
	for b := range buckets {
		assert.False(t, math.IsNaN(c.hazard[b]))
	}
}
