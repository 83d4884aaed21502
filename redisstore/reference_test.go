package redisstore

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// reference is the budget as the script has it, written a second time, plainly, for a
// store that loses nothing. Times are milliseconds.
type reference struct {
	most                int
	epoch               string
	begun, quiet, count float64
	members             map[string]*member
	ops                 [nafath.Operations]operation
	learned             nafath.Learned
}

type member struct {
	seen, base float64
	known      bool
	welcome    float64
	pending    int
}

type operation struct {
	last, open             float64
	part, raised           float64
	pause, refused, reduce float64
	strikes                float64
	trial                  bool
	calls                  map[string]call
	bids                   map[string]stand
}

type call struct {
	at       float64
	answered bool
}

type stand struct{ score, soon, at, step float64 }

func newReference(most int) *reference {
	r := &reference{members: map[string]*member{}, most: most}
	for op := range r.ops {
		r.ops[op] = operation{part: 1, calls: map[string]call{}, bids: map[string]stand{}}
	}
	return r
}

func (r *reference) exchange(now float64, bid nafath.Bid) (g nafath.Grant) {
	name := bid.Replica
	if r.epoch == "" {
		r.epoch, r.begun, r.quiet = fmt.Sprintf("%s.%d.%.0f", name, bid.Number, now), now, now+2000
	}
	r.count++
	me := r.members[name]
	if me == nil {
		me = &member{seen: now, base: now}
		r.members[name] = me
	}
	if me.known && now-me.seen > 2500 {
		me.known, me.welcome, me.base = false, 0, me.seen
	}
	if !me.known {
		switch {
		case me.welcome > 0 && bid.Full && bid.Known.Epoch == r.epoch && float64(bid.Known.Count) >= me.welcome:
			me.known = true
		default:
			if me.welcome == 0 {
				me.welcome = r.count
			}
			g.Resend = true
		}
	}
	me.seen, me.pending = now, bid.Pending
	for _, u := range bid.Uses {
		r.file(now, name, u, bid.Full)
	}
	if o := &r.ops[nafath.StatusChecks]; bid.Hinted && o.pause > 0 {
		o.pause = min(o.pause, o.refused+30000)
	}
	if bid.Learned.Text != "" && bid.Learned.Version == r.learned.Version {
		r.learned = nafath.Learned{Version: uint64(r.count), Text: bid.Learned.Text}
	}
	absent := r.census(now, &g)
	limits := []int{bid.Limits.Requests, bid.Limits.StatusChecks, bid.Limits.Details}
	for op := range r.ops {
		r.slot(now, op, limits[op], absent, me, bid, &g)
	}
	g.Mark = nafath.Mark{Epoch: r.epoch, Count: uint64(r.count)}
	g.Owed = time.Duration(max(0, r.quiet-now)) * time.Millisecond
	g.Learned.Version = r.learned.Version
	if bid.Learned.Version != r.learned.Version {
		g.Learned = r.learned
	}
	return g
}

func ms(d time.Duration) float64 { return float64(d.Milliseconds()) }

// file notes what became of a call.
func (r *reference) file(now float64, name string, u nafath.Use, full bool) {
	o, key := &r.ops[u.Operation], fmt.Sprint(name, u.ID)
	was, known := o.calls[key]
	switch {
	case u.Dropped:
		delete(o.calls, key)
		return
	case u.Answered < 0:
		if !known {
			o.calls[key] = call{at: now - ms(u.Sent)}
		}
		return
	case known && was.answered:
		if full {
			o.calls[key] = call{now - ms(u.Answered), true}
		}
		return
	}
	answered := now - ms(u.Answered)
	o.calls[key] = call{answered, true}
	if !u.Limited {
		if now-ms(u.Sent) >= o.refused {
			o.trial, o.strikes = false, 0
		}
		return
	}
	o.refused, o.trial = answered, true
	first, pause := now-ms(u.Sent) > o.reduce, ms(u.Pause)
	if first {
		o.part, o.raised, o.reduce, o.strikes = o.part*0.85, now, answered, min(o.strikes+1, 5)
	}
	if pause == 0 && first {
		pause = min(30000, 1000*math.Pow(2, o.strikes))
	}
	if pause > 0 {
		o.pause = max(o.pause, answered+pause)
	}
}

// census tells who there is, and how many static shares those who are not may spend.
func (r *reference) census(now float64, g *nafath.Grant) (absent float64) {
	g.Peers = map[string]time.Duration{}
	var silent []float64
	live := 0
	for name, m := range r.members {
		heard := m.base
		if m.known {
			heard = m.seen
		}
		g.Peers[name] = time.Duration(now-heard) * time.Millisecond
		if m.known && now-m.seen <= 2500 {
			live++
			g.Pending += m.pending
		} else {
			silent = append(silent, max(0, min(1, (now-heard-2500)/60000)))
		}
	}
	if now-r.begun < 600000 {
		for len(silent)+live < r.most {
			silent = append(silent, min(1, (now-r.begun)/60000))
		}
	}
	slices.SortFunc(silent, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	for _, s := range silent[:min(len(silent), max(0, r.most-live))] {
		absent += s
	}
	return absent
}

// slot grants the next call of an operation, or says when to come again.
func (r *reference) slot(now float64, op, limit int, absent float64, me *member, bid nafath.Bid, g *nafath.Grant) {
	o, w := &r.ops[op], bid.Wants[op]
	if o.part < 1 && now > o.pause {
		o.part = min(1, o.part+max(2/float64(limit), 1.0/30)*(now-max(o.raised, o.pause))/60000)
		o.raised = now
	}
	usable := max(min(1, float64(limit)), float64(limit)*o.part) - float64(limit/r.most)*absent
	fit, used := math.Floor(usable), 0.0
	var answered []float64
	for _, c := range o.calls {
		switch {
		case c.answered && now-c.at < 60100:
			answered = append(answered, c.at)
			used++
		case !c.answered && now-c.at < 90000:
			used++
		}
	}
	slices.Sort(answered)
	free := 0.0
	if fit < 1 || used >= fit && int(used-fit) >= len(answered) {
		free = now + 1000
	} else if used >= fit {
		free = answered[int(used-fit)] + 60100
	}
	step := 60000 / max(1, usable)
	if now-r.begun < 60000 {
		step = step * 61 / 60
	} else if op != int(nafath.StatusChecks) {
		step *= max(0, min(1, (used/max(1, usable)-0.25)/0.75))
	}
	at := max(r.quiet, o.pause, o.last+step, free)
	if o.trial && o.last > o.refused {
		at = max(at, o.last+5000)
	}
	best, waiting := 0.0, 0.0
	for name, s := range o.bids {
		if name == bid.Replica || now-s.at > 1500 {
			continue
		}
		here, value := o.open > 0 && s.at >= o.open, s.score
		if here {
			waiting = max(waiting, value)
		} else if s.soon < 1000 || s.score >= 1000 || now-s.at >= 0.9*s.step {
			value += (s.soon - value) * min(1.5, (now-s.at)/max(1, s.step))
		}
		best = max(best, value)
	}
	wait := at - now
	stands := stand{w.Score, w.Soon, now, math.Floor(step)}
	if at <= now && me.known && w.Score > 0 {
		if o.open == 0 {
			o.open = now
		}
		switch {
		case w.Score >= best || now >= o.open+300:
			g.Granted[op] = true
			o.calls[fmt.Sprint(bid.Replica, bid.Number)] = call{at: now}
			o.last, o.open = max(o.last+step, now-350), 0
			wait = o.last + step - now
			stands.score, stands.soon = w.Rest, w.Rest
		case w.Score >= waiting:
			wait = o.open + 300 - now
		default:
			wait = step
		}
	}
	delete(o.bids, bid.Replica)
	if me.known && stands.soon > 0 {
		o.bids[bid.Replica] = stands
	}
	g.Wait[op] = time.Duration(math.Round(max(0, min(wait, 60000)))) * time.Millisecond
	g.Rate[op] = max(0, usable)
}

// Replicas that want, call, are refused and fall silent at random get the same answers
// from the script.
func TestTheScriptDoesAsItsReference(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			m := miniredis.NewMiniRedis()
			defer m.Close()
			client := redis.NewClient(&redis.Options{
				Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }, Addr: "127.0.0.1:1",
			})
			defer client.Close() //nolint:errcheck // nothing is lost
			store, err := New(Config{Client: client, Tenant: "t", Key: kyckit.NewSecret("0123456789abcdef0123456789abcdef")})
			require.NoError(t, err)
			againstReference(t, store.Budget(), rand.New(rand.NewPCG(seed, 1)), 1+int(seed)*2)
		})
	}
}

func againstReference(t *testing.T, budget nafath.Budget, rng *rand.Rand, n int) {
	t.Helper()
	ref := newReference(n)
	bids := make([]nafath.Bid, n)
	flying := make([][]nafath.Use, n) // calls whose answer is still to come, with the times themselves
	silentUntil := make([]time.Duration, n)
	begin, granted, refused := time.Now(), 0, 0
	for time.Since(begin) < 150*time.Second {
		time.Sleep(time.Duration(1+rng.IntN(400/n)) * time.Millisecond)
		now := time.Since(begin)
		i := rng.IntN(n)
		if now < silentUntil[i] {
			continue
		}
		if rng.IntN(300) == 0 {
			silentUntil[i] = now + time.Duration(rng.IntN(20))*time.Second
		}
		bid := &bids[i]
		bid.Replica, bid.Replicas, bid.Limits = fmt.Sprint("r", i), n, limits
		bid.Number++
		bid.Pending, bid.Hinted, bid.Uses = rng.IntN(5), rng.IntN(50) == 0, nil
		var left []nafath.Use
		for _, u := range flying[i] {
			if rng.IntN(3) == 0 {
				u.Sent, u.Answered = now-u.Sent, time.Duration(rng.IntN(100))*time.Millisecond
				u.Dropped, u.Limited = rng.IntN(20) == 0, rng.IntN(60) == 0
				if u.Limited {
					refused++
					u.Pause = time.Duration(rng.IntN(2)) * 5 * time.Second
				}
				bid.Uses = append(bid.Uses, u)
			} else {
				left = append(left, u)
			}
		}
		flying[i] = left
		for op := range bid.Wants {
			bid.Wants[op] = nafath.Want{}
			if score := float64(rng.IntN(1000)) / 100; rng.IntN(3) > 0 {
				bid.Wants[op] = nafath.Want{Score: score, Soon: score * 1.25, Rest: score / 2}
			}
			if rng.IntN(50) == 0 {
				bid.Wants[op].Soon = 1e9
			}
		}
		bid.Learned.Text = ""
		if rng.IntN(20) == 0 {
			bid.Learned.Text = fmt.Sprint("text", bid.Number)
		}
		want := ref.exchange(float64(time.Now().UnixMilli()), *bid)
		got, err := budget.Exchange(t.Context(), *bid)
		require.NoError(t, err)
		for op := range got.Rate {
			require.InDelta(t, want.Rate[op], got.Rate[op], 0.006, "rate of operation %d at %v", op, now)
			require.InDelta(t, want.Wait[op], got.Wait[op], float64(time.Millisecond), "wait for operation %d at %v", op, now)
			got.Rate[op], got.Wait[op] = want.Rate[op], want.Wait[op]
			if got.Granted[op] {
				granted++
				flying[i] = append(flying[i], nafath.Use{Operation: nafath.Operation(op), ID: bid.Number, Sent: now, Answered: -1})
			}
		}
		require.Equal(t, want, got, "at %v", now)
		bid.Known, bid.Peers, bid.Full, bid.Learned.Version = got.Mark, got.Peers, got.Resend, got.Learned.Version
	}
	t.Logf("%d replicas: %d calls granted, %d refused", n, granted, refused)
	require.Greater(t, granted, 100)
	require.Positive(t, refused)
}
