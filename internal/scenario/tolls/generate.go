package tolls

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// One vehicle in so many is planted as a trouble, by its number, so that the ids are known without asking anyone: late 1 %,
// duplicate 0.5 %, malformed 0.1 %.
const (
	lateEvery, lateAt           = 100, 37
	duplicateEvery, duplicateAt = 200, 91
	malformedEvery, malformedAt = 1000, 500
)

// Generator gives the lines of a scale in the order in which they are written. It holds one half-hour at a time.
type Generator struct {
	scale  Scale
	random *rand.Rand
	slot   int   // the next half-hour to draw
	seq    int   // the next vehicle
	queue  lines // drawn and not given out; those written before the start of slot are final
}

// NewGenerator makes the generator of a seed.
func NewGenerator(seed uint64, scale Scale) *Generator {
	return &Generator{scale: scale, random: rand.New(rand.NewPCG(seed, 0x746f6c6c73))} // the second word is "tolls"
}

// Next gives the next line, or false when the scale is over.
func (g *Generator) Next() (Line, bool) {
	for g.slot < g.scale.Slots && (len(g.queue) == 0 || !g.queue[0].Written.Before(g.slotStart())) {
		g.drawSlot()
	}
	if len(g.queue) == 0 {
		return Line{}, false
	}
	return heap.Pop(&g.queue).(Line), true
}

// slotStart is the earliest time at which a line that is not drawn yet can be written.
func (g *Generator) slotStart() time.Time {
	return g.scale.Start.Add(time.Duration(g.slot) * slotLength)
}

// drawSlot draws the vehicles of one half-hour at all stations, numbers them as they pass, and queues their lines.
func (g *Generator) drawSlot() {
	start := g.slotStart()
	g.slot++
	var passed []Line
	for station := g.scale.First; station <= g.scale.Last; station++ {
		n, isPlanted := planted(station, start)
		if !isPlanted {
			n = poisson(g.random, mean(station, start))
		}
		for range n {
			passed = append(passed, Line{
				At:       start.Add(time.Duration(g.random.IntN(int(slotLength/time.Millisecond))) * time.Millisecond),
				Station:  station,
				Lane:     1 + g.random.IntN(6),
				Customer: g.random.IntN(Customers),
				Class:    class(g.random.IntN(100)),
			})
		}
	}
	slices.SortStableFunc(passed, func(a, b Line) int { return a.At.Compare(b.At) })
	for _, line := range passed {
		line.Seq = g.seq
		g.seq++
		g.write(line)
	}
}

// class is the vehicle's: mostly cars.
func class(percent int) int {
	switch {
	case percent < 72:
		return 1
	case percent < 86:
		return 2
	case percent < 93:
		return 3
	case percent < 98:
		return 4
	default:
		return 5
	}
}

// write turns a vehicle into its one or two lines.
func (g *Generator) write(line Line) {
	line.Cents = 120 + 65*line.Class*line.Class + 10*(line.Station%7)
	line.Written = line.At.Add(time.Duration(200+g.random.IntN(1500)) * time.Millisecond)
	_, exact := planted(line.Station, line.At.Truncate(slotLength))
	if line.Seq%lateEvery == lateAt {
		line.Late = true
		line.Written = line.At.Add(time.Duration(20_000+g.random.IntN(35_000)) * time.Millisecond)
	}
	// A vehicle of a planted half-hour stays readable, or its number would not be the planted one.
	line.Malformed = line.Seq%malformedEvery == malformedAt && !exact
	line.Text = g.text(line)
	heap.Push(&g.queue, line)
	if line.Seq%duplicateEvery == duplicateAt {
		line.Again = true
		line.Written = line.Written.Add(time.Duration(1000+g.random.IntN(29_000)) * time.Millisecond)
		heap.Push(&g.queue, line)
	}
}

// text is the line, or what is left of it when a lane's controller failed in the middle.
func (g *Generator) text(line Line) []byte {
	text := fmt.Appendf(nil, `{"txn_id":"%s","ts":"%s","station":"%s","lane":%d,"transponder":"E%07d","customer":"C%05d","cents":%d,"class":%d}`,
		TxnID(line.Seq), line.At.Format("2006-01-02T15:04:05.000Z"), StationName(line.Station), line.Lane,
		7_000_000+line.Customer*13, line.Customer, line.Cents, line.Class)
	if !line.Malformed {
		return text
	}
	switch line.Seq / malformedEvery % 3 {
	case 0: // cut off
		return text[:30+g.random.IntN(len(text)-31)]
	case 1: // a field overwritten
		return append(text[:len(text)-12], "##,\"class\":}"...)
	default: // not JSON at all, and a byte that is not UTF-8
		return fmt.Appendf(nil, "lane controller %d restarted \xff last=%s", line.Lane, TxnID(line.Seq))
	}
}

// lines is a heap by the time of writing, then by vehicle, the original before its copy.
type lines []Line

func (l lines) Len() int      { return len(l) }
func (l lines) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *lines) Push(x any)   { *l = append(*l, x.(Line)) }
func (l *lines) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	*l = (*l)[:last]
	return x
}

func (l lines) Less(i, j int) bool {
	if c := l[i].Written.Compare(l[j].Written); c != 0 {
		return c < 0
	}
	if l[i].Seq != l[j].Seq {
		return l[i].Seq < l[j].Seq
	}
	return !l[i].Again
}
