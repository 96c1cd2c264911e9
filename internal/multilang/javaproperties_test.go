package multilang

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// TestParseProperties shows the format of java.util.Properties, a row for each rule. Entries of a row's result are name=value, one after the other behind |.
func TestParseProperties(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"a=b", "a=b"},
		{"a = b", "a=b"},
		{"a:b", "a=b"},
		{"a : b", "a=b"},
		{"a b", "a=b"},
		{"a\tb c", "a=b c"},
		{"a", "a="},
		{"a=", "a="},
		{"=b", "=b"},
		{"a==b", "a==b"},
		{"a = = b", "a== b"},
		{"a  b=c", "a=b=c"},
		{"  a=b  ", "a=b  "},
		{"\f\ta=b", "a=b"},
		{"# a=b\n! c=d\n  # e=f\na=b", "a=b"},
		{"a=b # c", "a=b # c"},
		{"a=b\nc=d\re=f\r\ng=h", "a=b|c=d|e=f|g=h"},
		{"\n\r\n\n a=b\n\n", "a=b"},
		{"a=b\nb=c\na=d", "a=b|b=c|a=d"},
		{"a=b\\\n   c", "a=bc"},
		{"a=b\\\r\n   c", "a=bc"},
		{"a=b\\\\\nc=d", `a=b\|c=d`},
		{"a=b\\\\\\\nc", `a=b\c`},
		{"a=b\\\n\nc=d", "a=b|c=d"},
		{"a=b\\\n# c\nd=e", "a=b# c|d=e"},
		{"a=b\\", "a=b"},
		{"a=b\\\n", "a=b"},
		{"a\\=b=c", "a=b=c"},
		{"a\\:b\\ c=d", "a:b c=d"},
		{"a\\\n  b=c", "ab=c"},
		{`a=\t\n\r\f\q\"\\`, "a=\t\n\r\fq\"\\"},
		{`a=\u0041\u00e9\u20AC`, "a=Aé€"},
		{`a=\ud83d\ude00`, "a=😀"},
		{`a=\ud83dx`, "a=\uFFFDx"},
		{"a=\xe9", "a=é"},
		{`\u0061=b`, "a=b"},
		{"#comment \\\na=b", "a=b"},
		{"a=b\\\n \\\n c", "a=bc"},
		{"AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|arn|name\\\n    |endpointRegion=us-east-1",
			"AwsCredentialsProvider=StsAssumeRoleCredentialsProvider|arn|name|endpointRegion=us-east-1"},
	} {
		got, err := parseProperties([]byte(row.text))
		if err != nil {
			t.Errorf("%q: %v", row.text, err)
			continue
		}
		var all []string
		for _, p := range got {
			all = append(all, p.name+"="+p.value)
		}
		if strings.Join(all, "|") != row.want {
			t.Errorf("%q: got %q, want %q", row.text, strings.Join(all, "|"), row.want)
		}
	}
	for text, line := range map[string]string{`a=\u12`: "line 1", "\n# x\na=b\nc=\\u12g4": "line 4", `\uu0041=b`: "line 1", `a=\u+123`: "line 1"} {
		if _, err := parseProperties([]byte(text)); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: error %v, want one of %s", text, err, line)
		}
	}
	got, err := parseProperties([]byte("\n# x\na=b\\\n\\\nc\nd=e\n"))
	if err != nil || len(got) != 2 || got[0].line != 3 || got[1].line != 6 {
		t.Errorf("lines of %v, %v; want 3 and 6", got, err)
	}
}

// FuzzParseProperties shows that any bytes are read or refused, that what is read is text, and that writing it with every character escaped reads the same.
func FuzzParseProperties(f *testing.F) {
	for _, seed := range []string{"a=b", "a\\\n b : c\\u0041\r# x\r\n!y", "\\", "a=\\ud83d\\ude00", "=:= :", "\\u", "\f\\\f=\\\\\n\\\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseProperties(data)
		if err != nil {
			return
		}
		for _, p := range all {
			if !utf8.ValidString(p.name) || !utf8.ValidString(p.value) || p.line < 1 {
				t.Fatalf("%q: %+v", data, p)
			}
			again, err := parseProperties([]byte(escapeAll(p.name) + "=" + escapeAll(p.value)))
			if p.name == "" && p.value == "" {
				continue
			}
			if err != nil || len(again) != 1 || again[0].name != p.name || again[0].value != p.value {
				t.Fatalf("%+v reads again as %+v, %v", p, again, err)
			}
		}
	})
}

// escapeAll writes every character as \uXXXX.
func escapeAll(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	return b.String()
}
