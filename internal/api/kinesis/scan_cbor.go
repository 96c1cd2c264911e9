package kinesis

import "github.com/weir-stream/weir/internal/wire/cborproto"

// scanCBOR is scanJSON for CBOR: known members, each once, with strings that lie in the body in one piece.
func (r *putRequest) scanCBOR(body []byte, single bool) bool {
	s := cborproto.NewScanner(body)
	var e entry
	ok := scanMap(&s, func(name []byte) bool {
		switch string(name) {
		case "Records":
			return !single && len(r.entries) == 0 && r.scanRecordsCBOR(&s)
		case "StreamName":
			return scanString(&s, s.Text, &r.streamName)
		case "StreamARN":
			return scanString(&s, s.Text, &r.streamARN)
		}
		return single && e.memberCBOR(&s, name)
	})
	if single {
		r.entries = append(r.entries, e)
	}
	return ok && s.End() == nil
}

func (r *putRequest) scanRecordsCBOR(s *cborproto.Scanner) bool {
	list, err := s.EnterList()
	if err != nil {
		return false
	}
	for {
		more, err := s.More(&list)
		if err != nil || !more {
			return err == nil
		}
		var e entry
		if len(r.entries) == putRecordsMax || !scanMap(s, func(name []byte) bool { return e.memberCBOR(s, name) }) {
			return false
		}
		r.entries = append(r.entries, e)
	}
}

// memberCBOR reads a member of one record.
func (e *entry) memberCBOR(s *cborproto.Scanner, name []byte) bool {
	switch string(name) {
	case "Data":
		return scanString(s, s.Bytes, &e.data)
	case "PartitionKey":
		return scanString(s, s.Text, &e.partitionKey)
	case "ExplicitHashKey":
		return scanString(s, s.Text, &e.explicitHashKey)
	}
	return false
}

// scanMap calls member for each member of a map with the scanner standing at its value.
func scanMap(s *cborproto.Scanner, member func(name []byte) bool) bool {
	entries, err := s.EnterMap()
	if err != nil {
		return false
	}
	for {
		more, err := s.More(&entries)
		if err != nil || !more {
			return err == nil
		}
		name, err := s.Key()
		if err != nil || !member(name) {
			return false
		}
	}
}

// scanString reads a string once. One that came in chunks is refused: it does not lie in the body, and would not last.
func scanString(s *cborproto.Scanner, read func() ([]byte, error), into *[]byte) bool {
	if *into != nil {
		return false
	}
	text, err := read()
	if err != nil || s.Chunked() {
		return false
	}
	*into = text
	return true
}
