package poll

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"
)

const (
	// tellEvery is the least time between two tellings of what was learned.
	tellEvery = 5 * time.Second

	// A text begins with loreForm, and its counts are no more than these: forget holds
	// the ends of a bucket below 2,000, each of them watched for some minutes.
	loreForm  = 1
	mostEnds  = 1e4
	mostWatch = 1e7
)

// lore is what a Curve has in common with those of other processes, which tell each
// other the sum of what they learned.
type lore struct {
	news, told counts // learned here: since the last telling, and in it
	text       string // the last telling, until somebody is known to have it
	next       time.Duration
}

// counts is what a Curve learned.
type counts struct {
	ends    [buckets]float64 // items that ended at this age
	watched [buckets]float64 // seconds that open items spent at this age
	n       int              // ends
}

func (c *counts) add(d counts) {
	for b := range buckets {
		c.ends[b] += d.ends[b]
		c.watched[b] += d.watched[b]
	}
	c.n += d.n
}

// fade forgets as so many ends do.
func (c *counts) fade(ends int) {
	f := math.Pow(forget, float64(ends))
	for b := range buckets {
		c.ends[b] *= f
		c.watched[b] *= f
	}
}

// Tell returns all that is known of when items end, as a text for Hear, if there are
// news or with all, and not too often. The text is some 250 bytes.
func (c *Curve) Tell(now time.Duration, all bool) (text string, ok bool) {
	l := &c.lore
	if !all && l.news.n+l.told.n == 0 || c.n == 0 || now < l.next {
		return "", false
	}
	l.told.add(l.news)
	l.news, l.next = counts{}, now+tellEvery
	raw := []byte{loreForm}
	for b := range buckets {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(c.ends[b])))
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(c.watched[b])))
	}
	l.text = base64.RawURLEncoding.EncodeToString(raw)
	return l.text, true
}

// Hear takes over what all processes together know, and adds what only this one
// does. A text that makes no sense changes nothing.
func (c *Curve) Hear(text string) {
	l := &c.lore
	if text == l.text {
		l.told, l.text = counts{}, ""
		return
	}
	all, ok := readCounts(text)
	if !ok {
		return
	}
	l.told.add(l.news)
	l.news, l.next, l.text = counts{}, 0, ""
	all.fade(l.told.n)
	all.add(l.told)
	c.counts = all
	c.rebuild()
}

// readCounts reads what Tell wrote.
func readCounts(text string) (c counts, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 1+8*buckets || raw[0] != loreForm {
		return counts{}, false
	}
	number := func(i int, most float64) float64 {
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[1+4*i:])))
		ok = ok && v >= 0 && v <= most // not NaN either
		return v
	}
	ok = true
	for b := range buckets {
		c.ends[b], c.watched[b] = number(2*b, mostEnds), number(2*b+1, mostWatch)
	}
	c.n = 1 // there is something to tell
	return c, ok
}
