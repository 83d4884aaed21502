package poll

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// actSoon draws when somebody acts, from 10 to 30 s.
func actSoon(seed uint64) func() float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	return func() float64 { return 10 + 20*rng.Float64() }
}

func TestCurvesThatTellEachOtherKnowWhatOneWould(t *testing.T) {
	one := NewCurve()
	watch(one, 400, 3, actSoon(1))

	curves := make([]*Curve, 8)
	for i := range curves {
		curves[i] = NewCurve()
	}
	act, rng := actSoon(1), rand.New(rand.NewPCG(9, 9))
	var kept string
	version := 0
	heard := make([]int, len(curves))
	for round := range 60 {
		now := time.Duration(round) * 10 * time.Second
		for i, c := range curves {
			if round < 50 {
				watch(c, 1, 3, act)
			}
			// What is told replaces what was kept, unless somebody else did so meanwhile.
			if text, ok := c.Tell(now, version == 0); ok {
				assert.Less(t, len(text), 300)
				if heard[i] == version {
					kept = text
					version++
				}
			}
			if heard[i] != version && rng.IntN(8) > 0 { // some answers are lost
				heard[i] = version
				c.Hear(kept)
			}
		}
	}
	for i, c := range curves {
		for age := 5 * time.Second; age < 30*time.Second; age += 5 * time.Second {
			assert.InDelta(t, one.Risk(age, age+5*time.Second), c.Risk(age, age+5*time.Second), 0.25*one.Risk(age, age+5*time.Second)+0.01, "curve %d at %v", i, age)
		}
	}
	alone := NewCurve()
	watch(alone, 50, 3, actSoon(1))
	assert.Less(t, alone.Risk(20*time.Second, 25*time.Second), 0.75*one.Risk(20*time.Second, 25*time.Second), "which it takes more people to know")
}

func TestNothingIsToldTwiceOrForNothing(t *testing.T) {
	c := NewCurve()
	_, ok := c.Tell(0, true)
	assert.False(t, ok, "nothing is known")
	watch(c, 20, 3, actSoon(3))
	before := *c
	text, ok := c.Tell(time.Minute, false)
	require.True(t, ok)
	_, ok = c.Tell(time.Minute+time.Second, false)
	assert.False(t, ok, "it has just been told")
	again, ok := c.Tell(2*time.Minute, false)
	require.True(t, ok, "nobody is known to have it")
	assert.Equal(t, text, again)
	c.Hear(again)
	assert.Equal(t, before.counts, c.counts)
	_, ok = c.Tell(3*time.Minute, false)
	assert.False(t, ok, "there is no news")
	_, ok = c.Tell(4*time.Minute, true)
	assert.True(t, ok, "it was asked for all")

	// Another one takes it over, and tells it only to who has nothing.
	d := NewCurve()
	d.Hear(text)
	assert.InDelta(t, c.Risk(0, time.Minute), d.Risk(0, time.Minute), 1e-3)
	_, ok = d.Tell(time.Minute, false)
	assert.False(t, ok)
	_, ok = d.Tell(time.Minute, true)
	assert.True(t, ok)
}

func TestNonsenseTeachesNothing(t *testing.T) {
	good := NewCurve()
	watch(good, 20, 3, actSoon(5))
	text, ok := good.Tell(0, true)
	require.True(t, ok)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	with := func(v float32) string {
		bad := append([]byte(nil), raw...)
		binary.LittleEndian.PutUint32(bad[9:], math.Float32bits(v))
		return base64.RawURLEncoding.EncodeToString(bad)
	}
	c := NewCurve()
	before := *c
	for _, bad := range []string{
		"", "?", text[1:], text + text, strings.Repeat("A", 1<<20), "Ag" + text[2:],
		with(-1), with(float32(math.NaN())), with(float32(math.Inf(1))), with(1e30),
	} {
		c.Hear(bad)
		assert.Equal(t, before, *c)
	}
	c.Hear(with(1))
	assert.NotEqual(t, before.counts, c.counts)
}

func FuzzHear(f *testing.F) {
	c := NewCurve()
	watch(c, 5, 3, actSoon(7))
	text, _ := c.Tell(0, true)
	f.Add(text)
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		c := NewCurve()
		c.Hear(text)
		for age := time.Second; age < 10*time.Minute; age += 20 * time.Second {
			risk := c.Risk(age, age+time.Second)
			assert.True(t, risk > 0 && risk <= mostEnds, "a chance: %v", risk)
		}
	})
}
