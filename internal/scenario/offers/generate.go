package offers

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// country is where people are, roughly, and the median speed of its lines in megabits a second. The figures are made up, of a likely size.
type country struct {
	code     string
	lat, lon float64
	mbps     int
}

// countries is all thirty.
var countries = [...]country{
	{"AR", -34.6, -58.4, 80}, {"AT", 48.2, 16.4, 95}, {"AU", -33.9, 151.2, 55}, {"BE", 50.8, 4.4, 110}, {"BR", -23.5, -46.6, 165}, {"CA", 43.7, -79.4, 200},
	{"CH", 47.4, 8.5, 230}, {"CL", -33.4, -70.7, 260}, {"CZ", 50.1, 14.4, 70}, {"DE", 52.5, 13.4, 92}, {"DK", 55.7, 12.6, 235}, {"EG", 30.0, 31.2, 48},
	{"ES", 40.4, -3.7, 210}, {"FI", 60.2, 24.9, 115}, {"FR", 48.9, 2.4, 240}, {"GB", 51.5, -0.1, 100}, {"GR", 38.0, 23.7, 49}, {"IE", 53.3, -6.3, 120},
	{"IN", 28.6, 77.2, 62}, {"IT", 41.9, 12.5, 72}, {"JP", 35.7, 139.7, 190}, {"KE", -1.3, 36.8, 14}, {"MX", 19.4, -99.1, 68}, {"NL", 52.4, 4.9, 185},
	{"NO", 59.9, 10.8, 140}, {"PL", 52.2, 21.0, 150}, {"PT", 38.7, -9.1, 175}, {"SE", 59.3, 18.1, 160}, {"US", 40.7, -74.0, 250}, {"ZA", -26.2, 28.0, 45},
}

// Start is when the first sign-up may come, and where the clock of a Stepped run's server stands at first.
var Start = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)

// One sign-up in fifty, two in a hundred, is from an unknown place; one in four is somebody's who signed up before.
const (
	unknownEvery = 50
	againEvery   = 4
)

// Generator gives sign-ups in the order of their time, without end.
type Generator struct {
	random *rand.Rand
	gap    time.Duration // between sign-ups, on average; whole milliseconds
	count  int
	users  int
}

// NewGenerator makes the generator of a seed, with Rate sign-ups a second.
func NewGenerator(seed uint64) *Generator { return newGenerator(seed, time.Second/Rate) }

func newGenerator(seed uint64, gap time.Duration) *Generator {
	return &Generator{gap: gap, random: rand.New(rand.NewPCG(seed, 0x6f6666657273))} // the second word is "offers"
}

// Next gives the next sign-up.
func (g *Generator) Next() SignUp {
	// The jitter is below the gap, so that times ascend.
	at := Start.Add(time.Duration(g.count)*g.gap + time.Duration(g.random.IntN(int(g.gap/time.Millisecond)))*time.Millisecond)
	user := g.users
	if g.count%againEvery == againEvery-1 {
		user = g.random.IntN(g.users)
	} else {
		g.users++
	}
	s := SignUp{User: fmt.Sprintf("u%06d", user), IP: fmt.Sprintf("%d.%d.%d.%d", 1+g.random.IntN(223), g.random.IntN(256), g.random.IntN(256), 1+g.random.IntN(254)), At: at}
	place := countries[g.random.IntN(len(countries))]
	lat, lon := around(g.random, place.lat), around(g.random, place.lon)
	if g.count%unknownEvery != unknownEvery/2 {
		s.Country, s.Lat, s.Lon = place.code, &lat, &lon
	}
	g.count++
	return s
}

// around is a place within half a degree, to a thousandth.
func around(random *rand.Rand, degrees float64) float64 {
	return float64(int(degrees*1000)+random.IntN(1001)-500) / 1000
}
