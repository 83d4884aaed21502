package webhook

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClaimTable holds the table and its queue against a map and a list.
func TestClaimTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table, places, queue := newClaimTable(), map[int]int32{}, []int(nil)
	key := func(n int) *claimKey {
		sum := sha256.Sum256([]byte(strconv.Itoa(n)))
		return (*claimKey)(sum[:16])
	}
	unqueue := func(n int) {
		queue = slices.DeleteFunc(queue, func(other int) bool { return other == n })
	}
	for step := range 20_000 {
		n := r.IntN(300)
		if step > 10_000 { // more is removed than added, down to nothing
			n = r.IntN(30)
		}
		place, known := places[n]
		found, _ := table.find(key(n))
		require.Equal(t, place, found)
		switch {
		case !known && step < 19_000:
			places[n] = table.add(key(n))
			table.entries[places[n]].turn = uint64(n)
		case !known:
		case r.IntN(3) == 0:
			table.remove(place)
			delete(places, n)
			unqueue(n)
		default:
			table.leave(place)
			unqueue(n)
			if r.IntN(2) == 0 {
				table.enqueue(place)
				queue = append(queue, n)
			}
		}
		require.Equal(t, len(places), table.used)
		if step%100 > 0 {
			continue
		}
		filled := 0
		for _, slot := range table.slots {
			if slot != 0 {
				filled++
			}
		}
		require.Equal(t, table.used, filled)
		at := table.entries[0].next
		for _, n := range queue {
			require.EqualValues(t, n, table.entries[at].turn)
			at = table.entries[at].next
		}
		require.Zero(t, at)
	}
	require.LessOrEqual(t, len(table.entries), 301)
}
