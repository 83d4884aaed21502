package redisstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// long asks for the whole tables, which take half an hour without the race detector.
var long = os.Getenv("KYCKIT_LONG") != ""

func TestReplicasShareTheBudget(t *testing.T) {
	t.Parallel()
	counts, people := []int{8}, 120
	if long {
		counts, people = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 200
	}
	one := alone(t, people)
	for _, n := range counts {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, n)
				defer c.close()
				c.people(people, func(i int) *replica { return c.replicas[i%n] })
				c.report()
				assert.Zero(t, c.refused())
				assert.Zero(t, c.lost)
				assert.LessOrEqual(t, c.mean(), 1.15*one)
				assert.LessOrEqual(t, float64(c.scripts.Load())/time.Since(c.begin).Seconds(), 2*float64(n))
			})
		})
	}
}

func TestOneReplicaMayUseTheWholeBudget(t *testing.T) {
	t.Parallel()
	people := 50
	if long {
		people = 100
	}
	one := alone(t, people)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 6)
		defer c.close()
		c.people(people, func(int) *replica { return c.replicas[2] })
		c.report()
		assert.Zero(t, c.refused())
		assert.Zero(t, c.lost)
		assert.LessOrEqual(t, c.mean(), 1.15*one, "five idle replicas take nothing from it")
	})
}

func FuzzAnswersOfTheScript(f *testing.F) {
	f.Add("a.1.2|3|0,1,0|0,1000,0|10.00,60.00,30.00|0|3|100|a=0;b=1500|3|AQ")
	f.Add("|0|0,0,0|1000,1000,1000|0,0,0|0|0|0||0|")
	f.Add("a|-1|0,1|x|y||||=|||")
	f.Add("a|1e300|NaN,1,0|9e99,0,0|0,0,0|0|1|1|a=NaN|-1|")
	f.Fuzz(func(t *testing.T, answer string) {
		g, err := parseGrant(answer)
		if err != nil {
			assert.Equal(t, nafath.Grant{}, g)
			return
		}
		for op := range nafath.Operations {
			assert.GreaterOrEqual(t, g.Wait[op], time.Duration(0))
			assert.GreaterOrEqual(t, g.Rate[op], 0.0)
		}
		for _, ago := range g.Peers {
			assert.GreaterOrEqual(t, ago, time.Duration(0))
		}
	})
}

// bidder exchanges bids by hand as a replica does.
type bidder struct {
	t      *testing.T
	budget nafath.Budget
	bid    nafath.Bid
	at     time.Time // of the last answer
}

func newBidder(t *testing.T, budget nafath.Budget, name string) *bidder {
	t.Helper()
	return &bidder{t: t, budget: budget, bid: nafath.Bid{Replica: name, Replicas: 2, Limits: limits, Full: true}}
}

// ask bids for a status check that is worth so much now and a step later.
func (b *bidder) ask(now, soon float64) nafath.Grant {
	b.t.Helper()
	b.bid.Number++
	for peer := range b.bid.Peers {
		b.bid.Peers[peer] += time.Since(b.at)
	}
	b.bid.Owed -= time.Since(b.at)
	b.bid.Wants[nafath.StatusChecks] = nafath.Want{Score: now, Soon: soon, Rest: 0.1}
	g, err := b.budget.Exchange(b.t.Context(), b.bid)
	require.NoError(b.t, err)
	b.bid.Known, b.bid.Peers, b.bid.Owed, b.bid.Full, b.at = g.Mark, g.Peers, g.Owed, g.Resend, time.Now()
	return g
}

// bidders are two replicas that the store knows, past the first minute's pace.
func bidders(t *testing.T, c *cluster) (a, b *bidder) {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Dialer: func(context.Context, string, string) (net.Conn, error) { return c.redis.Dial() }, Addr: "127.0.0.1:1",
	})
	t.Cleanup(func() { _ = client.Close() })
	store, err := New(Config{Client: client, Tenant: "t", Key: kyckit.NewSecret("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	a, b = newBidder(t, store.Budget(), "a"), newBidder(t, store.Budget(), "b")
	for range 4 {
		a.ask(0, 0)
		b.ask(0, 0)
		time.Sleep(time.Second)
	}
	return a, b
}

func TestASlotGoesToTheHighestBidWhoeverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 0)
		defer c.close()
		a, b := bidders(t, c)
		for _, first := range []*bidder{a, b} {
			// Both say before the slot what they will bid in it: a a little more.
			a.ask(0, 5)
			b.ask(0, 4.9)
			time.Sleep(1020 * time.Millisecond)
			if first == b {
				assert.False(t, b.ask(4.9, 5.9).Granted[nafath.StatusChecks], "a is expected")
			}
			assert.True(t, a.ask(5, 6).Granted[nafath.StatusChecks], "nobody bids more in this slot")
			if first == a {
				assert.False(t, b.ask(4.9, 5.9).Granted[nafath.StatusChecks], "the slot is taken")
			}
			time.Sleep(1020 * time.Millisecond)
		}
	})
}

// What a replica did that died or left, and what the store then loses, nobody can
// tell: it may have been all that the limit allowed.
func TestNobodyCallsUntilWhatIsLostIsOver(t *testing.T) {
	for name, end := range map[string]func(*bidder){
		"died": func(*bidder) {},
		"left": func(b *bidder) { require.NoError(b.t, b.budget.Leave(b.t.Context(), "b")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 0)
				defer c.close()
				a, b := bidders(t, c)
				b.ask(0, 0)
				end(b)
				ended := time.Now()
				for range 20 {
					a.ask(0, 0)
					time.Sleep(time.Second)
				}
				c.redis.FlushAll()
				a.ask(0, 0)
				c.redis.FlushAll() // once more: what is owed is passed on
				for !a.ask(5, 6).Granted[nafath.StatusChecks] {
					require.Less(t, time.Since(ended), 2*time.Minute)
					time.Sleep(time.Second)
				}
				assert.InDelta(t, time.Minute.Seconds(), time.Since(ended).Seconds(), 2)
			})
		})
	}
}
