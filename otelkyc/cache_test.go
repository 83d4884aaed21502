package otelkyc

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCache(t *testing.T) {
	var c cache[int, int]
	var made [2 * maxCached]int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for key := range made {
				assert.Equal(t, key, c.get(key, func() int {
					mu.Lock()
					defer mu.Unlock()
					made[key]++
					return key
				}))
			}
		})
	}
	all.Wait()
	for key, n := range made {
		if key < maxCached {
			assert.Equal(t, 1, n, "made once")
		}
	}
	assert.Len(t, *c.values.Load(), maxCached, "and there is an end")
}
