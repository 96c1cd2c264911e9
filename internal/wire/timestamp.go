package wire

import (
	"net/http"
	"time"
)

// isoMillis is RFC 3339 in UTC with as many decimals as are needed, three at most.
const isoMillis = "2006-01-02T15:04:05.999Z"

// ParseTime reads the textual timestamp formats: TimestampRFC822, and ISO 8601 for every other. What the wire carries is milliseconds; more is cut off.
func ParseTime(format, text string) (time.Time, error) {
	layout := time.RFC3339
	if format == TimestampRFC822 {
		layout = http.TimeFormat
	}
	at, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(at.UnixMilli()).UTC(), nil
}

// FormatTime writes the textual timestamp formats: TimestampRFC822, and ISO 8601 for every other.
func FormatTime(format string, at time.Time) string {
	at = time.UnixMilli(at.UnixMilli()).UTC()
	if format == TimestampRFC822 {
		return at.Format(http.TimeFormat)
	}
	return at.Format(isoMillis)
}
