package poll

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// population says how people behave in a simulation.
type population struct {
	perMinute float64
	median    float64 // seconds to act, lognormal
	sigma     float64
	never     float64 // share that never acts
	expire    time.Duration
	act       func(*rand.Rand) float64 // replaces the lognormal
}

// world is a simulated tenant: people, a sliding-window server and a
// Scheduler, in virtual time.
type world struct {
	population
	seed    uint64
	limit   int
	people  int
	latency time.Duration
	webhook func(i int, rng *rand.Rand) (time.Duration, bool) // delay of the hint, if one is sent
	forged  float64                                           // hints a second for random pending items
	knows   bool                                              // the Scheduler knows the population beforehand
	server  *slidingServer

	// results
	delays  []float64
	checks  int
	limited int
	gaps    []float64 // gap over max(6 s, 3 turns)
	perMin  map[int]int
	end     time.Duration
}

type person struct {
	born, acts, ends time.Duration
	at               time.Duration
	item             *Item[int]
	last             time.Duration
	most             int
}

// slidingServer counts requests as the strictest server would.
type slidingServer struct {
	limit int
	times []time.Duration
}

func (s *slidingServer) accept(now time.Duration) bool {
	for len(s.times) > 0 && now-s.times[0] >= time.Minute {
		s.times = s.times[1:]
	}
	if len(s.times) >= s.limit {
		return false
	}
	s.times = append(s.times, now)
	return true
}

type event struct {
	at   time.Duration
	kind int
	who  int
	sent time.Duration
}

const (
	arrive = iota
	land
	hinted
	forge
	tick
	serve
)

// draw returns the seconds after which somebody acts, infinite for never.
func (w *world) draw(rng *rand.Rand) float64 {
	act := w.median * math.Exp(w.sigma*rng.NormFloat64())
	if w.act != nil {
		act = w.act(rng)
	}
	if rng.Float64() < w.never {
		return math.Inf(1)
	}
	return act
}

func (w *world) run() {
	rng := rand.New(rand.NewPCG(w.seed, 1))
	people := make([]person, w.people)
	var q eventHeap
	t := 0.0
	for i := range people {
		t += rng.ExpFloat64() * 60 / w.perMinute
		p := &people[i]
		p.born = time.Duration(t * float64(time.Second))
		p.acts, p.ends = never, p.born+w.expire
		if act := w.draw(rng); act < w.expire.Seconds() {
			p.acts = p.born + time.Duration(act*float64(time.Second))
			p.ends = p.acts
			if w.webhook != nil {
				if d, ok := w.webhook(i, rng); ok {
					q.push(event{at: p.ends + d, kind: hinted, who: i})
				}
			}
		}
		q.push(event{at: p.born, kind: arrive, who: i})
	}
	if w.forged > 0 {
		q.push(event{at: time.Second, kind: forge})
	}
	w.server = &slidingServer{limit: w.limit}
	w.perMin = map[int]int{}
	s := NewScheduler[int](Config{Limit: w.limit, Floor: 2 * time.Second, MaxFlight: 64}, 0)
	if w.knows {
		watch(s.curve, 20_000, 2, func() float64 {
			if act := w.draw(rng); act < w.expire.Seconds() {
				return act
			}
			return 1e9
		})
	}
	warm := w.people / 10
	done := 0
	results := map[int]Outcome{}
	wakeAt := never
	for done < w.people {
		e := q.pop()
		now := e.at
		w.end = now
		switch e.kind {
		case arrive:
			p := &people[e.who]
			p.last = now
			p.item = s.Add(now, 0, 300*time.Second, e.who)
			for i := range s.open {
				q := &people[s.open[i].item.Value]
				q.most = max(q.most, len(s.open))
			}
		case hinted:
			if p := &people[e.who]; p.item != nil && p.item.at >= 0 {
				s.Hint(p.item)
			} else if !p.item.Announced() {
				s.LateHint(now, p.at)
			}
		case forge:
			if n := len(s.open); n > 0 {
				s.Hint(s.open[rng.IntN(n)].item)
			}
			q.push(event{at: now + time.Duration(float64(time.Second)/w.forged), kind: forge})
		case serve:
			p := &people[e.who]
			switch {
			case !w.server.accept(now):
				results[e.who] = Limited
				w.limited++
			case now < p.ends:
				results[e.who] = Open
			case p.acts != never:
				results[e.who] = Ended
			default:
				results[e.who] = Lapsed
			}
			q.push(event{at: now + w.latency/2, kind: land, who: e.who, sent: e.sent})
		case land:
			p := &people[e.who]
			o := results[e.who]
			s.Done(now, p.item, o, 0)
			if o == Ended || o == Lapsed {
				if o == Ended && e.who >= warm {
					w.delays = append(w.delays, (now - p.acts).Seconds())
				}
				p.at = now
				s.Remove(p.item)
				done++
			}
		case tick:
			if now == wakeAt {
				wakeAt = never
			}
		}
		for {
			a, it, wake := s.Next(now)
			if a == Check {
				w.checks++
				w.perMin[int(now/time.Minute)]++
				p := &people[it.Value]
				if it.Value >= warm {
					limit := max(6, 3*float64(p.most)*60/float64(w.limit))
					w.gaps = append(w.gaps, (now-p.last).Seconds()/limit)
				}
				p.last, p.most = now, len(s.open)
				q.push(event{at: now + w.latency/2, kind: serve, who: it.Value, sent: now})
				continue
			}
			if a == GiveUp {
				s.Remove(it)
				done++
				continue
			}
			if wake <= now {
				panic("Next asks to be asked again at once")
			}
			if wake < wakeAt {
				wakeAt = wake
				q.push(event{at: wakeAt, kind: tick})
			}
			break
		}
	}
	slices.Sort(w.delays)
}

func (w *world) mean() float64 {
	sum := 0.0
	for _, d := range w.delays {
		sum += d
	}
	return sum / float64(len(w.delays))
}

func (w *world) quantile(q float64) float64 { return w.delays[int(q*float64(len(w.delays)-1))] }

// eventHeap is a binary heap by time.
type eventHeap struct{ list []event }

func (h *eventHeap) push(e event) {
	h.list = append(h.list, e)
	for i := len(h.list) - 1; i > 0; {
		p := (i - 1) / 2
		if cmp.Compare(h.list[p].at, h.list[i].at) <= 0 {
			return
		}
		h.list[p], h.list[i] = h.list[i], h.list[p]
		i = p
	}
}

func (h *eventHeap) pop() event {
	e := h.list[0]
	n := len(h.list) - 1
	h.list[0] = h.list[n]
	h.list = h.list[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return e
		}
		if c+1 < n && h.list[c+1].at < h.list[c].at {
			c++
		}
		if h.list[i].at <= h.list[c].at {
			return e
		}
		h.list[i], h.list[c] = h.list[c], h.list[i]
		i = c
	}
}
