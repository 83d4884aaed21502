package nafath

import "time"

const (
	// forgetRejections is when a person's rejections are forgotten.
	forgetRejections = time.Hour

	// maxRejections is how many people are kept before those whose rejections
	// are past are looked for. Only people who declined are kept, so there are
	// hardly more.
	maxRejections = 4096
)

// people knows who has a verification here, and who declined of late, by
// normalised national id.
type people struct {
	open     map[string]int
	declined map[string]declined
}

// declined is how often in a row a person declined, and when last.
type declined struct {
	times int
	last  time.Duration
}

func newPeople() people {
	return people{open: map[string]int{}, declined: map[string]declined{}}
}

func (p *people) enter(id string) { p.open[id]++ }

func (p *people) leave(id string) {
	if p.open[id]--; p.open[id] <= 0 {
		delete(p.open, id)
	}
}

// ended learns from a final status of a person's verification.
func (p *people) ended(now time.Duration, id string, status Status) {
	switch status { // all others say nothing about the person
	case StatusCompleted:
		delete(p.declined, id)
	case StatusRejected:
		if len(p.declined) >= maxRejections {
			for other, d := range p.declined {
				if now-d.last >= forgetRejections {
					delete(p.declined, other)
				}
			}
		}
		d := p.declined[id]
		if now-d.last >= forgetRejections {
			d.times = 0
		}
		p.declined[id] = declined{times: d.times + 1, last: now}
	}
}

// pause is how long a person who declined is not to be prompted.
func (p *people) pause(now time.Duration, id string, after time.Duration) time.Duration {
	if d := p.declined[id]; d.times >= 2 {
		return max(0, d.last+after-now)
	}
	return 0
}
