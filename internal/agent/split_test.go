package agent

import (
	"strings"
	"testing"
	"time"
)

// Shows how lines become records: each a record, joined from one start pattern to the next, joined to a size; without headers, up to a footer, and cut when they
// are too large. Steps: w:TEXT writes with ~ for a line end and _ for a blank, rot rotates by rename, ? reads and sends what is due, +N lets N seconds pass and
// sends, ! sends in any case, kill starts again. In want, records stand between bars.
func TestSplit(t *testing.T) {
	for _, row := range []struct{ name, keys, steps, want string }{
		{"single lines", ``, "w:a~~b~ !", "|a~|~|b~|"},
		{"a line without its end waits", ``, "w:a~b ! ! w:c~ !", "|a~|bc~|"},
		{"and comes when its file is left", ``, "w:a~b ! rot w:c~ !", "|a~|b|c~|"},
		{"header", `"skipHeaderLines": 2`, "w:h1~h2~a~ ! rot w:h1~ ! w:h2~b~ !", "|a~|b~|"},
		{"header, killed within", `"skipHeaderLines": 2`, "w:h1~ ! kill w:h2~a~ ! kill w:b~ !", "|a~|b~|"},
		{"header at the end of the file", `"skipHeaderLines": 2, "initialPosition": "END_OF_FILE"`, "w:h1~ ! w:h2~a~ !", "|a~|"},
		{"behind the header at the end of the file", `"skipHeaderLines": 1, "initialPosition": "END_OF_FILE"`, "w:h1~a~ ! w:b~ !", "|b~|"},
		{"footer", `"fileFooterPattern": "END.*"`, "w:a~END_of_file~x~ ! w:y~ ! kill w:z~ ! rot w:b~ !", "|a~|b~|"},
		{"several lines", `"multiLineStartPattern": "\\d+:"`, "w:1:a~_b~2:c~ ? w:_d~ ? w:3:e~ ?", ""},
		{"several lines, sent by age", `"multiLineStartPattern": "\\d+:"`, "w:1:a~_b~2:c~ ? +5 w:_d~ +5 w:3:e~ ! +5", "|1:a~_b~|2:c~|_d~|3:e~|"},
		{"several lines up to the next", `"multiLineStartPattern": "\\d+:"`, "w:1:a~_b~2:c~_d~_e~3:f~ !", "|1:a~_b~|2:c~_d~_e~|3:f~|"},
		{"several lines, none begins", `"multiLineStartPattern": "\\d+:"`, "w:a~b~1:c~ !", "|a~b~|1:c~|"},
		{"several lines, killed before the last is complete", `"multiLineStartPattern": "^\\["`, "w:[1~a~[2~ ? kill w:b~[3~ ! ", "|[1~a~|[2~b~|[3~|"},
		{"several lines in a file that is left", `"multiLineStartPattern": "^\\["`, "w:[1~a~ ? rot w:b~ !", "|[1~a~|b~|"},
		{"lookingAt is not find", `"multiLineStartPattern": "x"`, "w:x1~ax~x2~ !", "|x1~ax~|x2~|"},
		{"several lines and a footer", `"multiLineStartPattern": "\\d", "fileFooterPattern": "9.*"`, "w:1~a~9~2~ !", "|1~a~|"},
		{"several lines in one", `"multiLineStartPattern": "\\d", "dataProcessingOptions": [{"optionName": "SINGLELINE"}]`, "w:1~_a~2~ !", "|1a~|2~|"},
		{"joined", `"deliveryStream": "d", "aggregatedRecordSizeBytes": 6`, "w:aa~bb~cc~dddddddd~e~ !", "|aa~bb~|cc~|dddddddd~|e~|"},
		{"joined over batches", `"deliveryStream": "d", "aggregatedRecordSizeBytes": 6`, "w:aa~ ? w:bb~ ? w:cc~ ? +5", "|aa~bb~|cc~|"},
		{"joined up to a footer", `"deliveryStream": "d", "aggregatedRecordSizeBytes": 100, "fileFooterPattern": "END"`, "w:aa~bb~END~cc~ !", "|aa~bb~|"},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys := `"filePattern": "DIR/a.log", "maxBufferAgeMillis": 5000`
			if !strings.Contains(row.keys, "deliveryStream") {
				keys += `, "kinesisStream": "s"`
			}
			if !strings.Contains(row.keys, "initialPosition") {
				keys += `, "initialPosition": "START_OF_FILE"`
			}
			if row.keys != "" {
				keys += ", " + row.keys
			}
			b := newBench(t, keys)
			for step := range strings.FieldsSeq(row.steps) {
				verb, text, _ := strings.Cut(step, ":")
				switch verb {
				case "w":
					b.write("a.log", strings.NewReplacer("~", "\n", "_", " ").Replace(text))
				case "?":
					b.flow.Step(t.Context(), false)
				case "!":
					b.flow.Step(t.Context(), true)
				case "kill":
					b.restart()
				case "rot":
					b.rotate("a.log")
				case "+5":
					b.clock.Advance(5 * time.Second)
					b.flow.Step(t.Context(), false)
					b.clock.Advance(5 * time.Second)
					b.flow.Step(t.Context(), false)
				default:
					t.Fatalf("step %q", step)
				}
			}
			got := ""
			for _, r := range b.sink.records {
				got += "|" + strings.NewReplacer("\n", "~", " ", "_").Replace(string(r.Data))
			}
			if got != "" {
				got += "|"
			}
			if got != row.want {
				t.Errorf("sent %s\nwant %s", got, row.want)
			}
		})
	}
}

// Shows that what is larger than a record may be is cut to it and ends with the terminator, by bytes and with the partition key counted, and that what follows in
// the line is left out.
func TestCutRecords(t *testing.T) {
	for _, row := range []struct {
		keys string
		most int
	}{
		{`"kinesisStream": "s", "partitionKeyOption": "DETERMINISTIC"`, 1<<20 - 32},
		{`"deliveryStream": "d"`, 1000 << 10},
	} {
		b := newBench(t, row.keys+`, "filePattern": "DIR/a.log", "initialPosition": "START_OF_FILE", "truncatedRecordTerminator": "<cut>\n"`)
		b.write("a.log", strings.Repeat("x", row.most-1)+"\n"+strings.Repeat("y", row.most)+"\n"+strings.Repeat("z", 12<<20)+"\nend\n")
		b.settle()
		if len(b.sink.records) != 4 {
			t.Fatalf("%d records", len(b.sink.records))
		}
		for i, want := range []string{strings.Repeat("x", row.most-1) + "\n", strings.Repeat("y", row.most-6) + "<cut>\n", strings.Repeat("z", row.most-6) + "<cut>\n", "end\n"} {
			if got := string(b.sink.records[i].Data); got != want {
				t.Errorf("record %d has %d bytes and ends in %q, want %d", i, len(got), got[max(0, len(got)-8):], len(want))
			}
		}
		if s := b.flow.Status(); s.Cut != 2 {
			t.Errorf("%d cut", s.Cut)
		}
	}
}

// Shows the partition keys: the MD5 of the data, a number below a million, and a field of the record, or else the usual.
func TestPartitionKeys(t *testing.T) {
	for _, row := range []struct{ keys, line, want string }{
		{`"partitionKeyOption": "DETERMINISTIC"`, "hello", "b1946ac92492d2347c6235b4d2611184"}, // of the line with its end
		{`"partitionKeyField": "a.b"`, `{"a": {"b": "k"}}`, "k"},
		{`"partitionKeyField": "a", "partitionKeyOption": "DETERMINISTIC"`, "hello", "b1946ac92492d2347c6235b4d2611184"},
		{`"dataProcessingOptions": [{"optionName": "CSVTOJSON", "customFieldNames": ["x", "y"]}], "partitionKeyField": "y"`, "1,2", "2"},
		{``, "hello", ""},
	} {
		keys := `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE"`
		if row.keys != "" {
			keys += ", " + row.keys
		}
		b := newBench(t, keys)
		b.write("a.log", row.line+"\n")
		b.settle()
		got := b.sink.records[0].Key
		if row.want == "" {
			if strings.Trim(got, "0123456789.") != "" || len(strings.Split(got, ".")[0]) > 6 {
				t.Errorf("random key %q", got)
			}
		} else if got != row.want {
			t.Errorf("%s: key %q", row.keys, got)
		}
	}
}
