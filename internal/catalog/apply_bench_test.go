package catalog

import (
	"fmt"
	"testing"
)

// What one change costs among many streams: six paths of a dozen nodes each, and the command's JSON. It must not grow with the number of
// streams other than by the depth of the trees.
func BenchmarkApply(b *testing.B) {
	for _, streams := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			h := begin()
			many := limits
			many.StreamsCreating = streams
			for i := range streams {
				h.must(b, 0, CreateStream{Account: account, Region: region, Name: fmt.Sprint("stream-", i), ShardCount: 1, Limits: many})
			}
			h.must(b, 0, StreamReady{1})
			var commands [2][]byte
			for i := range commands {
				commands[i], _ = EncodeCommand(UpdateMaxRecordSize{account, region, "stream-0", 1024 + 1024*i, limits})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				next, _, err := Apply(h.state, h.at, h.position, commands[(i+1)%2])
				if err != nil {
					b.Fatal(err)
				}
				h.state = next
				h.position++
			}
		})
	}
}
