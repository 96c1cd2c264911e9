package meter

import (
	"sync"
	"time"
)

// sweepAt is how many buckets Calls keeps before it looks for full ones to forget.
const sweepAt = 1024

// Calls counts calls by key, such as an operation with an account and a region. The zero value is ready. It is safe for concurrent use.
//
// Memory: a bucket is full again a second after its last call, and a full one is the same as none. Full ones are forgotten whenever there are twice as
// many buckets as after the last look, so there are never more than about twice as many as keys were called in the last second, or 1,024.
type Calls struct {
	mu      sync.Mutex // guards the rest
	buckets map[string]bucket
	sweep   int // how many buckets there are when the full ones are forgotten; 0 is sweepAt
}

// Take counts a call if there have been fewer than perSecond lately, and says so. The burst is one second's worth.
func (c *Calls) Take(now time.Time, key string, perSecond int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.buckets[key]
	if !b.fits(now, perSecond, perSecond, 1) {
		return false
	}
	b.take(now, perSecond, 1)
	if c.buckets == nil {
		c.buckets = make(map[string]bucket)
	}
	c.buckets[key] = b
	if len(c.buckets) >= max(c.sweep, sweepAt) {
		for key, b := range c.buckets {
			if !b.paid.After(now) {
				delete(c.buckets, key)
			}
		}
		c.sweep = 2 * len(c.buckets)
	}
	return true
}

// Len is how many buckets are kept.
func (c *Calls) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.buckets)
}
