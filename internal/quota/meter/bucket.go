package meter

import (
	"math/bits"
	"time"
)

// A bucket holds burst units and is filled at a rate, in units a second. It is kept as one time: when everything taken so far will be paid off. So
// nothing has to be done while nothing happens, and a bucket that is full again is the same as a new one:
//
//	          take 3             take 2
//	──────────┼──────────────────┼──────────────────► time
//	          ◄──3/rate──►       ◄─2/rate─►
//	                     paid              paid
//
// There is room for n when what is ahead, paid − now, and n/rate together are no longer than burst/rate. Over any time W, whoever takes only when
// there is room takes at most rate × W + burst.
type bucket struct{ paid time.Time }

// slack is how much longer than burst/rate that may be: every taking is rounded up to whole nanoseconds, and a bucket that is emptied in many
// parts must still take the last of them.
const slack = 500 * time.Nanosecond

// ahead is how long it takes until everything is paid off; 0 when it is.
func (b *bucket) ahead(now time.Time) time.Duration { return max(b.paid.Sub(now), 0) }

// fits says whether there is room for n units. A rate of nothing has room for nothing, whatever the burst.
func (b *bucket) fits(now time.Time, rate, burst, n int64) bool {
	return rate > 0 && b.ahead(now)+span(n, rate) <= span(burst, rate)+slack
}

// take takes n units, whether there is room or not.
func (b *bucket) take(now time.Time, rate, n int64) {
	if rate > 0 && n > 0 {
		b.paid = now.Add(b.ahead(now) + span(n, rate))
	}
}

// span is how long n units take at a rate, rounded up, and at most a century.
func span(n, rate int64) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	hi, lo := bits.Mul64(uint64(max(n, 0)), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(rate-1), 0)
	if hi += carry; hi >= uint64(rate) {
		return century
	}
	quotient, _ := bits.Div64(hi, lo, uint64(rate))
	return time.Duration(min(quotient, uint64(century)))
}
