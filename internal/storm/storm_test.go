package storm

import (
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	seeds  = flag.Int("storm.seeds", 60, "how many worlds")
	budget = flag.Bool("storm.budget", false, "lets all replicas that share a store share the budget of calls too, which takes a second or more of computing a world; else about every seventh do")
	first  = flag.Uint64("storm.seed", 1, "the first world's seed")
)

func TestStorm(t *testing.T) {
	var verifications, broken atomic.Int64
	t.Cleanup(func() {
		t.Logf("storm: %d seeds, %d verifications, %d broken promises", *seeds, verifications.Load(), broken.Load())
	})
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlan(seed)
				p.budget = p.budget || *budget && p.shared
				w, err := run(p)
				if err != nil {
					t.Fatalf("seed %d: the world cannot begin: %v", seed, err)
				}
				verifications.Add(int64(len(w.store.all())))
				broken.Add(int64(len(w.breaches)))
				if len(w.breaches) > 0 {
					b := w.breaches[0]
					t.Logf("%+v", p)
					t.Errorf("seed %d: %s%s (and %d more)\nagain: go test ./internal/storm -run TestStorm -storm.seeds=1 -storm.seed=%d\n%s",
						seed, prefix(b.who), b.text, len(w.breaches)-1, seed, w.story(b.who))
				}
			})
		})
	}
}

func prefix(who string) string {
	if who == "" {
		return ""
	}
	return who + ": "
}
