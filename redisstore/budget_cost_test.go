package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/nafath"
)

// BenchmarkBid measures what a bid costs Redis, in a window of status checks that is
// full: processor time, next to that of a script that does nothing, and bytes.
func BenchmarkBid(b *testing.B) {
	client := startServer(b).client()
	for _, limit := range []int{60, 300} {
		for _, n := range []int{2, 8, 16, 64} {
			b.Run(fmt.Sprintf("%d a minute, %d replicas", limit, n), func(b *testing.B) {
				f := newBidders(b, client, n, limit)
				before, i := processor(b, client), 0
				for b.Loop() {
					f.bid(i%n, nil, false, float64(i%7))
					i++
				}
				spent := processor(b, client) - before
				before = processor(b, client)
				for range i {
					require.NoError(b, client.Eval(b.Context(), "return 1", []string{"a"}).Err())
				}
				spent -= processor(b, client) - before
				b.ReportMetric(spent.Seconds()*1e6/float64(i), "redis-µs/op")
				b.ReportMetric(float64(f.bytes()), "bytes-in-redis")
			})
		}
	}
}

// bidders are the replicas of a tenant whose window is full.
type bidders struct {
	b      *testing.B
	client *redis.Client
	limit  int
	budget nafath.Budget
	bids   []nafath.Bid
}

func newBidders(b *testing.B, client *redis.Client, n, limit int) *bidders {
	b.Helper()
	require.NoError(b, client.FlushAll(b.Context()).Err())
	f := &bidders{b: b, client: client, limit: limit, budget: newStore(b, client).Budget()}
	for i := range n {
		f.bids = append(f.bids, nafath.Bid{
			Replica: fmt.Sprintf("A%025d", i), Replicas: n, Pending: 5, // names are as long as real ones
			Limits: nafath.Limits{Requests: 10, StatusChecks: limit, Details: 30},
		})
		f.bid(i, nil, true, 0)
	}
	for i := range n {
		var uses []nafath.Use
		for k := i; k < limit; k += n {
			ago := time.Duration(k) * 40 * time.Second / time.Duration(limit)
			uses = append(uses, nafath.Use{Operation: nafath.StatusChecks, ID: uint64(1000 + k), Sent: ago, Answered: ago})
		}
		f.bid(i, uses, true, 1)
	}
	return f
}

func (f *bidders) bid(i int, uses []nafath.Use, full bool, score float64) {
	f.b.Helper()
	bid := &f.bids[i]
	bid.Number++
	bid.Uses, bid.Full = uses, full
	bid.Wants[nafath.StatusChecks] = nafath.Want{Score: score, Soon: score + 1.2345, Rest: score + 0.5}
	g, err := f.budget.Exchange(f.b.Context(), *bid)
	require.NoError(f.b, err)
	bid.Known, bid.Peers, bid.Learned.Version = g.Mark, g.Peers, g.Learned.Version
}

// bytes is what the budget takes in Redis.
func (f *bidders) bytes() (n int64) {
	f.b.Helper()
	keys, err := f.client.Keys(context.Background(), "*").Result()
	require.NoError(f.b, err)
	for _, key := range keys {
		used, err := f.client.MemoryUsage(context.Background(), key, 0).Result()
		require.NoError(f.b, err)
		n += used
	}
	return n
}

// processor is the time that Redis used a processor.
func processor(b *testing.B, client *redis.Client) (used time.Duration) {
	b.Helper()
	info, err := client.Info(context.Background(), "cpu").Result()
	require.NoError(b, err)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user_main_thread" || name == "used_cpu_sys_main_thread" {
			d, err := time.ParseDuration(value + "s")
			require.NoError(b, err)
			used += d
		}
	}
	return used
}
