package poll

import (
	"math"
	"time"
)

// edges are the bounds of the age buckets, in seconds: fine where most people
// act, coarse later.
var edges = [...]float64{0, 2, 4, 6, 8, 10, 12.5, 15, 18, 22, 27, 33, 40, 50, 62, 77, 95, 120, 150, 190, 240, 320, 450, 600}

const buckets = len(edges) - 1

const (
	// priorWeight is how many seconds of watching the prior of a bucket is
	// worth; priorHazard is the chance a second it starts from.
	priorWeight = 100.0
	priorHazard = 1.0 / 60

	// forget is what a finished item leaves of the past: half is gone after
	// some 1,400 of them.
	forget = 1 - 1.0/2000

	// grid is the resolution of the bounds, in steps a second.
	grid = 2
)

// Curve learns online when items finish: for each bucket of age, the chance a
// second that an item still open finishes. It sees only checks, so that an end
// lies somewhere between two of them and is shared out among the buckets in
// between.
//
// A Curve is not safe for concurrent use.
type Curve struct {
	counts
	lore   lore
	hazard [buckets]float64
	before [buckets]float64  // cumulative hazard at the beginning of the bucket
	place  [600 * grid]uint8 // the bucket of each step of the grid
	stale  int
}

// NewCurve returns a curve that knows nothing yet.
func NewCurve() *Curve {
	c := &Curve{}
	for b := range buckets {
		for i := int(edges[b] * grid); i < int(edges[b+1]*grid); i++ {
			c.place[i] = uint8(b)
		}
	}
	c.rebuild()
	return c
}

// Risk is the chance, as a cumulative hazard, that an item open at age from
// ends by age to.
func (c *Curve) Risk(from, to time.Duration) float64 { return c.at(to) - c.at(from) }

func (c *Curve) at(age time.Duration) float64 {
	x := age.Seconds()
	if x <= 0 {
		return 0
	}
	b := buckets - 1
	if i := int(x * grid); i < len(c.place) {
		b = int(c.place[i])
	}
	return c.before[b] + (x-edges[b])*c.hazard[b]
}

// Open records that an item open at age from was still open at age to.
func (c *Curve) Open(from, to time.Duration) {
	c.each(from.Seconds(), to.Seconds(), func(b int, length float64) {
		c.watched[b] += length
		c.lore.news.watched[b] += length
	})
	c.touch(8)
}

// Ended records that an item open at age from was found ended at age to.
func (c *Curve) Ended(from, to time.Duration) {
	a, b := from.Seconds(), to.Seconds()
	total := -math.Expm1(-c.Risk(from, to))
	if total <= 0 {
		return
	}
	alive := 1.0
	for i := range buckets {
		c.ends[i] *= forget
		c.watched[i] *= forget
	}
	c.n++
	c.lore.news.n++
	// The end fell into a bucket with the chance that the curve itself gives.
	c.each(a, b, func(i int, length float64) {
		in := alive * -math.Expm1(-c.hazard[i]*length) / total
		alive -= in * total
		before := max(0, (alive-(1-total))/total) // it ended in a later bucket
		watched := length * (before + in/2)
		c.ends[i] += in
		c.watched[i] += watched
		c.lore.news.ends[i] += in
		c.lore.news.watched[i] += watched
	})
	c.touch(1)
}

// each calls f with the length of every bucket's overlap with (from, to).
func (c *Curve) each(from, to float64, f func(b int, length float64)) {
	for b := range buckets {
		lo, hi := edges[b], edges[b+1]
		if b == buckets-1 {
			hi = math.Inf(1)
		}
		if lo >= to {
			return
		}
		if length := min(hi, to) - max(lo, from); length > 0 {
			f(b, length)
		}
	}
}

// touch brings the hazards up to date after every so many observations.
func (c *Curve) touch(every int) {
	if c.stale++; c.stale >= every {
		c.rebuild()
	}
}

func (c *Curve) rebuild() {
	c.stale = 0
	// The prior of a bucket is the average over all ages, itself weak.
	ends, watched := priorHazard*priorWeight, priorWeight
	for b := range buckets {
		ends += c.ends[b]
		watched += c.watched[b]
	}
	average := ends / watched
	for b := range buckets {
		c.hazard[b] = (c.ends[b] + average*priorWeight) / (c.watched[b] + priorWeight)
	}
	sum := 0.0
	for b := range buckets {
		c.before[b] = sum
		sum += c.hazard[b] * (edges[b+1] - edges[b])
	}
}
