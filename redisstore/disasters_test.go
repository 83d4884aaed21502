package redisstore

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// disasters are what may happen to a cluster from its third minute on.
var disasters = []struct {
	name string
	do   func(c *cluster)
}{
	{"quiet", func(*cluster) {}},
	{"crash of two", func(c *cluster) {
		c.at(3*time.Minute, func() { c.replicas[0].crash() })
		c.at(5*time.Minute, func() { c.replicas[len(c.replicas)/2].crash() })
	}},
	{"all keys lost twice", func(c *cluster) {
		c.at(3*time.Minute, c.redis.FlushAll)
		c.at(5*time.Minute, c.redis.FlushAll)
	}},
	{"each key lost by itself", func(c *cluster) {
		for minute := 3; minute < 9; minute++ {
			c.at(time.Duration(minute)*time.Minute, func() {
				if keys := c.redis.Keys(); len(keys) > 0 {
					c.redis.Del(keys[minute%len(keys)])
				}
			})
		}
	}},
	{"back in time", func(c *cluster) {
		c.at(3*time.Minute, func() {
			restore := c.snapshot()
			c.at(40*time.Second, restore)
		})
	}},
	{"the calls alone back in time", func(c *cluster) {
		c.at(3*time.Minute, func() {
			restore := c.snapshot()
			c.at(40*time.Second, func() {
				state, _ := c.redis.HKeys(budgetKey)
				now := map[string]string{}
				for _, field := range state {
					now[field] = c.redis.HGet(budgetKey, field)
				}
				restore()
				for field, v := range now {
					c.redis.HSet(budgetKey, field, v)
				}
			})
		})
	}},
	{"the busiest cut off for 3 minutes", func(c *cluster) {
		c.at(3*time.Minute, func() { c.replicas[0].down.Store(true) })
		c.at(6*time.Minute, func() { c.replicas[0].down.Store(false) })
	}},
	{"store down for 2 minutes", func(c *cluster) { c.outage(func() {}) }},
	{"store down for 2 minutes and back empty", func(c *cluster) { c.outage(c.redis.FlushAll) }},
	{"answers lost", func(c *cluster) {
		c.at(3*time.Minute, func() { c.mute.Store(true) })
		c.at(3*time.Minute+40*time.Second, func() { c.mute.Store(false) })
	}},
	{"answers late", func(c *cluster) {
		c.at(3*time.Minute, func() { c.slow.Store(true) })
		c.at(4*time.Minute, func() { c.slow.Store(false) })
	}},
	{"every process replaced", func(c *cluster) {
		for i := range c.replicas {
			c.at(3*time.Minute+time.Duration(i)*20*time.Second, func() { c.replace(i) })
		}
	}},
}

const budgetKey, callsKey = "kyckit:{t}:budget", "kyckit:{t}:calls"

// snapshot returns a func that brings the budget back to what it is now, as a failover to
// a server that is behind does.
func (c *cluster) snapshot() (restore func()) {
	state, _ := c.redis.HKeys(budgetKey)
	fields := map[string]string{}
	for _, f := range state {
		fields[f] = c.redis.HGet(budgetKey, f)
	}
	calls, _ := c.redis.SortedSet(callsKey)
	return func() {
		c.redis.Del(budgetKey)
		c.redis.Del(callsKey)
		for f, v := range fields {
			c.redis.HSet(budgetKey, f, v)
		}
		for member, score := range calls {
			_, _ = c.redis.ZAdd(callsKey, score, member)
		}
	}
}

// crash ends a replica as kill -9 does: nothing leaves it any more.
func (r *replica) crash() { r.dead.Store(true) }

func (c *cluster) outage(then func()) {
	c.at(3*time.Minute, func() {
		for _, r := range c.replicas {
			r.down.Store(true)
		}
	})
	c.at(5*time.Minute, func() {
		then()
		for _, r := range c.replicas {
			r.down.Store(false)
		}
	})
}

// replace ends a replica as a deployment does, once those who wait have their
// answer, and starts another.
func (c *cluster) replace(i int) {
	c.mu.Lock()
	old := c.replicas[i]
	c.mu.Unlock()
	fresh := c.join(len(c.replicas) + 1)
	c.mu.Lock()
	c.replicas[i], c.old = fresh, append(c.old, old)
	c.mu.Unlock()
	go func() { _ = old.poller.Drain(context.Background()) }()
}

// TestDisasters lets each of them happen to one size of a cluster, and with
// KYCKIT_LONG to 1 to 12 replicas.
func TestDisasters(t *testing.T) {
	t.Parallel()
	for i, d := range disasters {
		for n := 1; n <= 12; n++ {
			if !long && n != 2+i*7%5 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", d.name, n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t, n)
					defer c.close()
					people, again := 40, int64(4)
					if long {
						people, again = 90, 1
					}
					c.again.Store(again)
					d.do(c)
					// The first replica has most of the people.
					c.people(people, func(i int) *replica { return c.alive(i % 3 * i % n) })
					c.report()
					assert.Zero(t, c.refused(), "over a limit")
					assert.Zero(t, c.lost)
				})
			})
		}
	}
}
