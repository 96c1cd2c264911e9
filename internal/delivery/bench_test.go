package delivery

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// BenchmarkDeliver is JSON records of 1 KiB from the log of direct puts to objects of 5 MiB before GZIP, over an S3 that keeps them in memory; beside it the least that must be done, by the same
// library: to compress the same bytes. Run it with -cpu 1, so that time is the processor's.
//
// A record is read twice of the log and copied each time, compressed, and sent once, when its bytes are hashed for the signature. For an object there is a request, a checkpoint and a trim.
func BenchmarkDeliver(b *testing.B) {
	const objects, each = 8, 5 << 10
	r := rand.New(rand.NewPCG(1, 1))
	batch := make([][]byte, 500)
	for i := range batch {
		record := fmt.Appendf(nil, `{"vehicle":%d,"plaza":"north-%d","pad":"`, r.Uint32(), r.IntN(20))
		for len(record) < 1<<10 {
			record = fmt.Appendf(record, "%d lanes ", r.IntN(1000))
		}
		batch[i] = append(record[:1<<10-2], `"}`...)
	}
	b.Run("deliver", func(b *testing.B) {
		w := setUp(b)
		s := w.deliver("d", Source{}, func(s *S3) { s.Compression, s.IntervalSeconds = Gzip, 900 })
		for b.Loop() {
			b.StopTimer()
			w.server.does(func(s *server) { clear(s.objects) })
			// The engine waits for its turn until everything is there.
			for range uploadsMax {
				w.engine.uploads <- struct{}{}
			}
			for range objects * each / len(batch) {
				_, err := w.engine.Put(b.Context(), s, batch)
				must(b, err)
			}
			_, err := w.engine.Put(b.Context(), s, batch[:objects*each%len(batch)])
			must(b, err)
			b.StartTimer()
			for range uploadsMax {
				<-w.engine.uploads
			}
			w.settle()
		}
		if len(w.server.objects) != objects {
			b.Fatalf("%d objects", len(w.server.objects))
		}
		b.ReportMetric(float64(objects*each*b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("compress", func(b *testing.B) {
		for b.Loop() {
			for range objects {
				z := gzip.NewWriter(io.Discard)
				for i := range each {
					if _, err := z.Write(batch[i%len(batch)]); err != nil {
						b.Fatal(err)
					}
				}
				must(b, z.Close())
			}
		}
		b.ReportMetric(float64(objects*each*b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
