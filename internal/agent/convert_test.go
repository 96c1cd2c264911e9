package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// chainOf reads dataProcessingOptions.
func chainOf(t testing.TB, options string) chain {
	t.Helper()
	f := &findings{}
	c := readConverters(newReader(f, "test", map[string]json.RawMessage{"dataProcessingOptions": json.RawMessage(options)}))
	if len(f.wrong)+len(f.notes) > 0 {
		t.Fatalf("%s: %v %v", options, f.wrong, f.notes)
	}
	return c
}

// Shows what each of the dataProcessingOptions makes of a record: the tests of the Kinesis Agent show the same of its own. ~ is a line end, and LEFT OUT a record
// that is not sent.
func TestConverters(t *testing.T) {
	const (
		common   = `{"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG"}`
		combined = `{"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}`
		errors   = `{"optionName": "LOGTOJSON", "logFormat": "APACHEERRORLOG"}`
		syslog   = `{"optionName": "LOGTOJSON", "logFormat": "SYSLOG"}`
		rfc3339  = `{"optionName": "LOGTOJSON", "logFormat": "RFC3339SYSLOG"}`
		left     = "LEFT OUT"
	)
	for _, row := range []struct{ options, in, want string }{
		{`{"optionName": "SINGLELINE"}`, "{~  \"a\": 1,~\t\"b\": 2 ~}~", `{"a": 1,"b": 2}~`},
		{`{"optionName": "SINGLELINE"}`, "no line end", `no line end~`},
		{`{"optionName": "SINGLELINE"}`, "~", `~`},
		{`{"optionName": "SINGLELINE", "parseOptions": ["NO_TRIM"]}`, " a ~ b~~~", ` a  b~`},
		{`{"optionName": "SINGLELINE", "parseOptions": ["ESCAPE_NEW_LINE"]}`, " a ~ b~", `a\\nb~`},
		{`{"optionName": "SINGLELINE", "parseOptions": ["NO_TRIM", "ESCAPE_NEW_LINE"]}`, " a ~ b~", ` a \\n b~`},

		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b", "c"]}`, "1, 2,three~", `{"a":"1","b":" 2","c":"three"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b", "c"]}`, "1,2", `{"a":"1","b":"2","c":null}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b", "c"]}`, "1,,~", `{"a":"1","b":null,"c":null}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b", "c"]}`, ",,3~", `{"a":"","b":"","c":"3"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a"]}`, "1,2,3~", `{"a":"1"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"]}`, "~", `{"a":"","b":null}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"]}`, "two~lines,\"q\"~", `{"a":"two\nlines","b":"\"q\""}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"], "delimiter": "\\t"}`, "1\t2~", `{"a":"1","b":"2"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"], "delimiter": "\\s*;\\s*"}`, "1 ;  2~", `{"a":"1","b":"2"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"], "delimiter": ""}`, "xy~", `{"a":"x","b":"y"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "a"]}`, "1,2~", `{"a":"2"}~`},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"], "jsonFormat": "PRETTYPRINT"}`, "1,<é&>~", "{~  \"a\" : \"1\",~  \"b\" : \"<é&>\"~}~"},

		{common, `123.45.67.89 - - [27/Oct/2000:09:27:09 -0400] "GET /a.html HTTP/1.0" 200 10450`,
			`{"host":"123.45.67.89","ident":null,"authuser":null,"datetime":"27/Oct/2000:09:27:09 -0400","request":"GET /a.html HTTP/1.0","response":"200","bytes":"10450"}~`},
		{common, `crawl-1.example.com id frank.b [7/Oct/2000:09:27:09 +0100] "GET / HTTP/1.0" 304 - and more~`,
			`{"host":"crawl-1.example.com","ident":"id","authuser":"frank.b","datetime":"7/Oct/2000:09:27:09 +0100","request":"GET / HTTP/1.0","response":"304","bytes":null}~`},
		{common, `2001:db8::1 - - [27/Oct/2000:09:27:09 -0400] "GET / HTTP/1.0" 200 1~`,
			`{"host":"2001:db8::1","ident":null,"authuser":null,"datetime":"27/Oct/2000:09:27:09 -0400","request":"GET / HTTP/1.0","response":"200","bytes":"1"}~`},
		{common, `123.45.67.89 - - [27/Oct/2000 09:27:09 -0400] "GET / HTTP/1.0" 200 1~`, left},
		{common, "~", left},
		{combined, `1.2.3.4 - - [27/Oct/2000:09:27:09 -0400] "GET / HTTP/1.0" 200 1 "-" "Mozilla/4.6 [en]" "more"~`,
			`{"host":"1.2.3.4","ident":null,"authuser":null,"datetime":"27/Oct/2000:09:27:09 -0400","request":"GET / HTTP/1.0","response":"200","bytes":"1","referer":null,"agent":"Mozilla/4.6 [en]"}~`},
		{combined, `1.2.3.4 - - [27/Oct/2000:09:27:09 -0400] "GET / HTTP/1.0" 200 1~`, left},
		{errors, `[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] File does not exist~`,
			`{"timestamp":"Fri Sep 09 10:42:29.902022 2011","module":"core","severity":"error","processid":"35708","threadid":"4328636416","client":"72.15.99.187","message":"File does not exist"}~`},
		{errors, `[Fri Sep 09 10:42:29 2011] [error] [pid 35708] [client 72.15.99.187:123] -~`,
			`{"timestamp":"Fri Sep 09 10:42:29 2011","module":null,"severity":"error","processid":"35708","threadid":null,"client":"72.15.99.187:123","message":null}~`},
		{syslog, `Mar 12 12:00:08 server2 rcd[308]: Loaded 12 packages ~`,
			`{"timestamp":"Mar 12 12:00:08","hostname":"server2","program":"rcd","processid":"308","message":"Loaded 12 packages "}~`},
		{syslog, `Mar  2 12:01:02 <1.2> - /USR/SBIN/CRON: -~`,
			`{"timestamp":"Mar  2 12:01:02","hostname":"-","program":"/USR/SBIN/CRON","processid":null,"message":"-"}~`},
		{rfc3339, `2020-01-02T03:04:05.678Z host prog[1]: m~`, `{"timestamp":"2020-01-02T03:04:05.678Z","hostname":"host","program":"prog","processid":"1","message":"m"}~`},
		{rfc3339, `2020-01-02T03:04:05+01:00 host prog: m~`, `{"timestamp":"2020-01-02T03:04:05+01:00","hostname":"host","program":"prog","processid":null,"message":"m"}~`},
		{rfc3339, `Mar 12 12:00:08 server2 rcd[308]: m~`, left},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "customFieldNames": ["a", "b", "c", "d", "e"]}`, `Mar 12 12:00:08 h p: m~`,
			`{"a":"Mar 12 12:00:08","b":"h","c":"p","d":null,"e":"m"}~`},
		{`{"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG", "matchPattern": "^(\\w+) (?:x)?(-|\\d+)", "customFieldNames": ["word", "n"]}`, `abc x12~`, `{"word":"abc","n":"12"}~`},
		{`{"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG", "matchPattern": "^(\\w+) (-|\\d+)", "customFieldNames": ["word", "n"]}`, `abc -~`, `{"word":"abc","n":null}~`},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "matchPattern": "(\\w+)", "customFieldNames": ["word"]}`, `abc def~`, left},

		{`{"optionName": "ADDMETADATA", "timestamp": "true", "metadata": {"z": "1", "a": {"b": [1, 2.50, null, true], "c": {}}}}`, "line~",
			`{"ts":"2001-09-09T01:46:40.000Z","metadata":{"z":"1","a":{"b":[1,2.50,null,true],"c":{}}},"data":"line"}~`},
		{`{"optionName": "ADDMETADATA", "metadata": {"a": [1, 2], "c": {}}, "jsonFormat": "PRETTYPRINT"}`, "line~",
			"{~  \"metadata\" : {~    \"a\" : [ 1, 2 ],~    \"c\" : { }~  },~  \"data\" : \"line\"~}~"},
		{`{"optionName": "ADDMETADATA"}`, "line~", `{"metadata":null,"data":"line"}~`},
		{`{"optionName": "ADDBRACKETS"}`, "a: 1~", `{a: 1~}`},
		{`{"optionName": "SINGLELINE"}, {"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"]}`, "1~,2~", `{"a":"1","b":"2"}~`},
		{syslog + `, {"optionName": "ADDBRACKETS"}`, "no syslog~", left},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a"]}`, "\x00\x1f\x7f\\\b\f\xff~", `{"a":"\u0000\u001F` + "\x7f" + `\\\b\f` + "\uFFFD" + `"}~`},
	} {
		c := chainOf(t, "["+row.options+"]")
		got, err := c.convert([]byte(strings.ReplaceAll(row.in, "~", "\n")), time.Unix(1e9, 0))
		if err != nil {
			t.Errorf("%s\n%q: %v", row.options, row.in, err)
			continue
		}
		text := strings.ReplaceAll(string(got), "\n", "~")
		if got == nil {
			text = left
		}
		if text != row.want {
			t.Errorf("%s\n%q\ngave %s\nwant %s", row.options, row.in, text, row.want)
		}
	}
}

// Shows which options are refused, all of them by name.
func TestConvertersRefused(t *testing.T) {
	for _, row := range []struct{ option, says string }{
		{`{"optionName": "TOXML"}`, `optionName: "TOXML" is none of`},
		{`{}`, "optionName: it is needed"},
		{`{"optionName": "ADDEC2METADATA", "logFormat": "RFC3339SYSLOG"}`, "asks EC2"},
		{`{"optionName": "USINGPLUGGIN", "className": "com.example.C"}`, "com.example.C"},
		{`{"optionName": "CSVTOJSON"}`, "customFieldNames"},
		{`{"optionName": "CSVTOJSON", "customFieldNames": "a"}`, "no list"},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a", 1]}`, "no list of texts"},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a"], "delimiter": "(?<!x),"}`, "RE2"},
		{`{"optionName": "CSVTOJSON", "customFieldNames": ["a"], "jsonFormat": "XML"}`, "jsonFormat"},
		{`{"optionName": "SINGLELINE", "parseOptions": ["TRIM"]}`, "TRIM"},
		{`{"optionName": "LOGTOJSON"}`, "logFormat"},
		{`{"optionName": "LOGTOJSON", "logFormat": "NGINX"}`, "NGINX"},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "customFieldNames": ["a"]}`, "1 names for the 5 fields"},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "matchPattern": "(a)"}`, "names of its groups"},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "matchPattern": "(a)(b)", "customFieldNames": ["a"]}`, "1 names for the 2 groups"},
		{`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "matchPattern": "(a)++", "customFieldNames": ["a"]}`, "RE2"},
		{`{"optionName": "ADDMETADATA", "timestamp": "perhaps"}`, "timestamp"},
	} {
		f := &findings{}
		readConverters(newReader(f, "test", map[string]json.RawMessage{"dataProcessingOptions": json.RawMessage("[" + row.option + "]")}))
		if len(f.wrong) == 0 || !strings.Contains(fmt.Sprint(f.wrong), row.says) {
			t.Errorf("%s: %v does not say %s", row.option, f.wrong, row.says)
		}
	}
}

// FuzzConverters shows that no record breaks a converter, and that what comes out is JSON, in UTF-8 and with its line end.
func FuzzConverters(f *testing.F) {
	chains := []chain{}
	for _, option := range []string{
		`{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"], "delimiter": "[,;]*"}`,
		`{"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG"}`,
		`{"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}`,
		`{"optionName": "LOGTOJSON", "logFormat": "APACHEERRORLOG", "jsonFormat": "PRETTYPRINT"}`,
		`{"optionName": "LOGTOJSON", "logFormat": "SYSLOG"}`,
		`{"optionName": "LOGTOJSON", "logFormat": "RFC3339SYSLOG"}`,
		`{"optionName": "SINGLELINE"}, {"optionName": "ADDMETADATA", "metadata": {"a": []}, "jsonFormat": "PRETTYPRINT"}`,
	} {
		chains = append(chains, chainOf(f, "["+option+"]"))
	}
	for _, seed := range []string{"", "a,b\n", "\xff\x00,;\u2028\"\\", "Mar 12 12:00:08 h p[1]: m\n", `1.2.3.4 - - [27/Oct/2000:09:27:09 -0400] "GET / HTTP/1.0" 200 1 "-" "x"`,
		"[Fri Sep 09 10:42:29 2011] [error] [pid 1] [client ::1] x", "2020-01-02T03:04:05Z h p: m"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i, c := range chains {
			out, err := c.convert(data, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			if out != nil && (!json.Valid(out) || !utf8.Valid(out) || out[len(out)-1] != '\n') {
				t.Errorf("chain %d makes %q of %q", i, out, data)
			}
		}
	})
}
