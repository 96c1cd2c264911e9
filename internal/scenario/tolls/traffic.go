package tolls

import (
	"math"
	"math/rand/v2"
	"time"
)

// The traffic table: vehicles in a half-hour are Poisson around stationVehicles × halfHourPercent × weekdayPercent.

// halfHourPercent is the day: two rush hours, a level afternoon.
var halfHourPercent = [48]int{
	30, 22, 16, 12, 10, 10, 12, 18, 30, 48, 72, 95, 130, 155, 165, 160, 140, 120, 105, 100, 98, 97, 98, 100,
	104, 105, 100, 100, 100, 100, 100, 100, 112, 125, 140, 152, 158, 150, 132, 112, 95, 82, 72, 64, 56, 48, 42, 36,
}

// weekdayPercent begins with Sunday, as time.Weekday does.
var weekdayPercent = [7]int{70, 96, 98, 100, 101, 110, 84}

// stationVehicles is what a station counts in a half-hour of a Wednesday afternoon. The six of the smoke scale are written
// down; ST-07 expects 360.
func stationVehicles(station int) int {
	if smoke := [...]int{250, 220, 270, 240, 260, 360}; station >= 2 && station <= 7 {
		return smoke[station-2]
	}
	return 140 + station*67%131
}

// mean is the expected number of vehicles of a station in the half-hour that begins at slot.
func mean(station int, slot time.Time) float64 {
	halfHour := slot.Hour()*2 + slot.Minute()/30
	return float64(stationVehicles(station)*halfHourPercent[halfHour]*weekdayPercent[slot.Weekday()]) / 10_000
}

// Planted are the half-hours whose number of vehicles is not left to chance: the values around the alarm at fewer than 100,
// and none at all. All on the Wednesday, all in the smoke scale too.
var Planted = []struct {
	Station  int
	Slot     time.Time
	Vehicles int
}{
	{7, time.Date(2026, 4, 1, 14, 0, 0, 0, time.UTC), 64},
	{5, time.Date(2026, 4, 1, 14, 30, 0, 0, time.UTC), 99},
	{6, time.Date(2026, 4, 1, 14, 30, 0, 0, time.UTC), 100},
	{3, time.Date(2026, 4, 1, 15, 0, 0, 0, time.UTC), 0},
}

func planted(station int, slot time.Time) (vehicles int, ok bool) {
	for _, p := range Planted {
		if p.Station == station && p.Slot.Equal(slot) {
			return p.Vehicles, true
		}
	}
	return 0, false
}

// poisson draws a number of vehicles by multiplying uniform numbers until the product falls below e^-mean (Knuth). Good for
// means below 700, where e^-mean is still a normal number; the table's largest is 653.
func poisson(random *rand.Rand, mean float64) int {
	limit := math.Exp(-mean)
	n := 0
	for product := random.Float64(); product > limit; product *= random.Float64() {
		n++
	}
	return n
}
