package otelkyc

import (
	"maps"
	"sync"
	"sync/atomic"
)

// maxCached bounds a cache, should its keys be more than they ought to be.
const maxCached = 1024

// cache keeps values that are made once for each key, of which there are few. It
// is read without a lock. The zero value is empty.
type cache[K comparable, V any] struct {
	mu     sync.Mutex
	values atomic.Pointer[map[K]V] // never written to
}

// get returns the value of a key, made anew if it is not there.
func (c *cache[K, V]) get(key K, fresh func() V) V {
	if values := c.values.Load(); values != nil {
		if v, ok := (*values)[key]; ok {
			return v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	values := map[K]V{}
	if old := c.values.Load(); old != nil {
		if v, ok := (*old)[key]; ok {
			return v
		}
		if len(*old) == maxCached {
			return fresh()
		}
		values = maps.Clone(*old)
	}
	values[key] = fresh()
	c.values.Store(&values)
	return values[key]
}
