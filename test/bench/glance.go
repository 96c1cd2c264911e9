package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// putAnswer says whether an answer of PutRecords counts records that failed: its status is 200 all the same. Other answers are fine.
func putAnswer(answer []byte) error {
	const failed = `{"FailedRecordCount":`
	if rest, is := bytes.CutPrefix(answer, []byte(failed)); is && !bytes.HasPrefix(rest, []byte("0,")) {
		return fmt.Errorf("records failed: %.200s", answer)
	}
	return nil
}

// glance takes from a GetRecords answer what a reader needs to go on, without parsing the records: the client shares the cores.
func glance(answer []byte) (records int, next string, millisBehind int) {
	records = bytes.Count(answer, []byte(`"SequenceNumber":`))
	tail := answer[bytes.LastIndex(answer, []byte(`],"MillisBehindLatest":`)):]
	rest := tail[len(`],"MillisBehindLatest":`):]
	end := bytes.IndexAny(rest, ",}")
	millisBehind, _ = strconv.Atoi(string(rest[:end]))
	if at := bytes.Index(rest, []byte(`"NextShardIterator":"`)); at >= 0 {
		text := rest[at+len(`"NextShardIterator":"`):]
		next = string(text[:bytes.IndexByte(text, '"')])
	}
	return records, next, millisBehind
}
