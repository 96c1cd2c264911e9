package agent

import (
	"regexp"
	"time"
)

// logFormat is how LOGTOJSON reads lines of a kind.
type logFormat struct {
	name    string
	pattern *regexp.Regexp // of the whole line; a group for each field
	fields  []string
	dash    bool // a field that is "-" is not there
}

// What lines of logs are made of. Each is checked as far as it has to be to tell the fields apart.
const (
	// A name, an IPv4 or an IPv6 address. The Kinesis Agent does not know the last and leaves such lines out.
	hostText = `[\w-]+(?:\.[\w-]+)*\.?|[\d.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*`
	userText = `[A-Za-z0-9._-]+`
	monthAbc = `(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)`
	weekday  = `(?:Mon|Tue(?:s)?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?`
	monthDay = `(?:0[1-9]|[12]\d|3[01]|[1-9])`
	timeText = `(?:2[0-3]|[01]?\d):[0-5]\d:(?:[0-5]?\d|60)(?:[:.,]\d+)?`
	yearText = `[1-9]\d*`
	number   = `[+-]?\d+`

	apacheTime  = monthDay + `/` + monthAbc + `/` + yearText + `:` + timeText + `\s` + number
	errorTime   = weekday + `\s+` + monthAbc + `\s+` + monthDay + `\s+` + timeText + `\s+` + yearText
	syslogTime  = monthAbc + `\s+` + monthDay + `\s+` + timeText
	rfc3339Time = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`

	commonLine   = `(` + hostText + `) (` + userText + `) (` + userText + `) \[(` + apacheTime + `)\] "([^"]+)" (` + number + `|-) (` + number + `|-)`
	combinedLine = commonLine + ` "([^"]+)" "([^"]+)"`
	errorLine    = `\[(` + errorTime + `)\] \[(?:(\w+):)?(\w+)\] \[pid (\d+)(?::tid (\d+))?\] \[client ((?:` + hostText + `)(?::[1-9]\d*)?)\] (.*)`
	syslogRest   = ` (?:<\d+.\d+> )?(` + userText + `) ([\w./%-]+)(?:\[([1-9]\d*)\])?: (.*)`
)

// whole is a pattern that has to match from beginning to end, as Java's matches.
func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + pattern + `)\z`) }

var (
	commonFields = []string{"host", "ident", "authuser", "datetime", "request", "response", "bytes"}
	syslogFields = []string{"timestamp", "hostname", "program", "processid", "message"}

	logFormats = []logFormat{
		{"COMMONAPACHELOG", whole(commonLine + `.*`), commonFields, true},
		{"COMBINEDAPACHELOG", whole(combinedLine + `.*`), append(append([]string{}, commonFields...), "referer", "agent"), true},
		{"APACHEERRORLOG", whole(errorLine), []string{"timestamp", "module", "severity", "processid", "threadid", "client", "message"}, true},
		{"SYSLOG", whole(`(` + syslogTime + `)` + syslogRest), syslogFields, false},
		{"RFC3339SYSLOG", whole(`(` + rfc3339Time + `)` + syslogRest), syslogFields, false},
	}
)

// logLine makes an object of a line of a log, and leaves out lines that are none.
type logLine struct {
	format  logFormat
	printer printer
}

func readLog(r *reader) converter {
	var names []string
	for _, f := range logFormats {
		names = append(names, f.name)
	}
	l := logLine{printer: readPrinter(r)}
	name := r.oneOf("logFormat", "", names...)
	for _, f := range logFormats {
		if f.name == name {
			l.format = f
		}
	}
	if name == "" && !r.has("logFormat") {
		r.refuse("logFormat", "LOGTOJSON needs one of %s", listed(names))
	}
	fields := r.texts("customFieldNames")
	if r.has("matchPattern") {
		l.format.pattern = r.pattern("matchPattern", "", `\A(?:%s)\z`)
		l.format.fields = fields
		switch groups := l.format.pattern.NumSubexp(); {
		case len(fields) == 0:
			r.refuse("customFieldNames", "matchPattern needs the names of its groups")
		case groups != len(fields):
			r.refuse("customFieldNames", "%d names for the %d groups of matchPattern: no line would ever fit", len(fields), groups)
		}
		return l
	}
	switch {
	case len(fields) == 0:
	case name != "" && len(fields) != len(l.format.fields):
		r.refuse("customFieldNames", "%d names for the %d fields of %s; change them, or give a matchPattern", len(fields), len(l.format.fields), name)
	default:
		l.format.fields = fields
	}
	return l
}

func (l logLine) convert(data []byte, _ time.Time) ([]byte, error) {
	text := textOf(data)
	at := l.format.pattern.FindStringSubmatchIndex(text)
	if at == nil {
		return nil, nil
	}
	var object []member
	for i, field := range l.format.fields {
		var value any
		if from, to := at[2*i+2], at[2*i+3]; from >= 0 {
			if part := text[from:to]; part != "-" || !l.format.dash {
				value = part
			}
		}
		object = put(object, field, value)
	}
	return l.printer.record(object), nil
}
