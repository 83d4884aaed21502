package webhook

import (
	"hash/maphash"
	"math"
)

// claimKey is the start of a key's SHA-256: of one size, so that long keys
// cannot fill the memory, and without the personal data a key may hold.
type claimKey [16]byte

// claimEntry is what is remembered of a key. It holds no pointer, so the
// garbage collector does not look through the entries.
type claimEntry struct {
	key        claimKey
	until      int64  // nanoseconds after the start of the store
	turn       uint64 // counts claims, to tell them apart; 0 in an entry that is free
	prev, next int32  // neighbours in the queue of handled deliveries
	committed  bool
	queued     bool
}

// claimTable holds the entries of a store. Each keeps its place as long as its
// key is remembered, so that a claim is committed without a look-up, and the
// deliveries that were handled form a queue by their places.
//
// Keys are found by open addressing. In a full store each look-up reads memory
// that no cache holds, and a slot of eight bytes makes it one read; with a Go
// map a claim and its commit take 1.4 times as long.
type claimTable struct {
	entries []claimEntry // the first belongs to no key, is always over, and closes the queue to a ring
	free    int32        // a place to use again; its next is another; 0 is none
	used    int          // entries that are not free

	// slots hold half a key's hash, which says where its search begins, and a
	// place, or 0. Their number is a power of 2, and at least half of them are free.
	slots []uint64
	seed  maphash.Seed // nobody can choose keys that collide
}

func newClaimTable() claimTable {
	return claimTable{entries: []claimEntry{{until: math.MinInt64}}, seed: maphash.MakeSeed(), slots: make([]uint64, 16)}
}

// half returns the half of a key's hash that its slot holds.
func (t *claimTable) half(key *claimKey) uint64 {
	return maphash.Bytes(t.seed, key[:]) &^ math.MaxUint32
}

// home is where the search for a slot begins.
func (t *claimTable) home(slot uint64) int { return int(slot >> 32 * uint64(len(t.slots)) >> 32) }

func (t *claimTable) after(i int) int { return (i + 1) & (len(t.slots) - 1) }

// find returns the place of a key and its slot; place 0 when there is none.
func (t *claimTable) find(key *claimKey) (place int32, slot int) {
	half := t.half(key)
	for i := t.home(half); t.slots[i] != 0; i = t.after(i) {
		place = int32(t.slots[i] & math.MaxUint32) //nolint:gosec // at most maxMaxEntries
		if t.slots[i]&^math.MaxUint32 == half && t.entries[place].key == *key {
			return place, i
		}
	}
	return 0, 0
}

// fill puts a slot where it will be found.
func (t *claimTable) fill(slot uint64) {
	i := t.home(slot)
	for t.slots[i] != 0 {
		i = t.after(i)
	}
	t.slots[i] = slot
}

// add finds a place for a new key.
func (t *claimTable) add(key *claimKey) (place int32) {
	if t.used++; 2*t.used > len(t.slots) {
		old := t.slots
		t.slots = make([]uint64, 2*len(old))
		for _, slot := range old {
			if slot != 0 {
				t.fill(slot)
			}
		}
	}
	if place = t.free; place != 0 {
		t.free = t.entries[place].next
	} else {
		place = int32(len(t.entries)) //nolint:gosec // at most maxMaxEntries
		t.entries = append(t.entries, claimEntry{})
	}
	t.entries[place] = claimEntry{key: *key}
	t.fill(t.half(key) | uint64(place))
	return place
}

func (t *claimTable) remove(place int32) {
	t.leave(place)
	// Slots behind the gap that are there because of it move up.
	_, gap := t.find(&t.entries[place].key)
	for i := t.after(gap); t.slots[i] != 0; i = t.after(i) {
		if mask := len(t.slots) - 1; (i-t.home(t.slots[i]))&mask >= (i-gap)&mask {
			t.slots[gap], gap = t.slots[i], i
		}
	}
	t.slots[gap] = 0
	t.entries[place] = claimEntry{next: t.free}
	t.free = place
	t.used--
}

// enqueue puts an entry behind the deliveries that were handled before.
func (t *claimTable) enqueue(place int32) {
	e, ring := &t.entries[place], &t.entries[0]
	e.prev, e.next, e.queued = ring.prev, 0, true
	t.entries[e.prev].next = place
	ring.prev = place
}

// leave takes an entry out of the queue, if it is in it.
func (t *claimTable) leave(place int32) {
	e := &t.entries[place]
	if !e.queued {
		return
	}
	t.entries[e.prev].next, t.entries[e.next].prev = e.next, e.prev
	e.prev, e.next, e.queued = 0, 0, false
}
