package eventstream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/iotest"
	"time"

	oracle "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire/eventstream"
)

// frames is a table of what both sides must agree on: ours encoded is theirs encoded, and each decodes the other's.
var frames = []struct {
	name    string
	headers [][2]string
	payload string
}{
	{"nothing", nil, ""},
	{"payload alone", nil, "{}"},
	{"headers alone", [][2]string{{":message-type", "event"}}, ""},
	{"event", [][2]string{{":message-type", "event"}, {":event-type", "SubscribeToShardEvent"}, {":content-type", "application/json"}}, `{"Records":[]}`},
	{"empty value", [][2]string{{"x", ""}}, "\x00\xff"},
	{"long", [][2]string{{"x", string(bytes.Repeat([]byte("v"), 1<<15-1))}}, string(bytes.Repeat([]byte("p"), 1<<20))},
}

func TestAgreesWithTheSDK(t *testing.T) {
	for _, row := range frames {
		t.Run(row.name, func(t *testing.T) {
			var block []byte
			message := oracle.Message{Payload: []byte(row.payload)}
			for _, h := range row.headers {
				block = eventstream.AppendText(block, h[0], h[1])
				message.Headers.Set(h[0], oracle.StringValue(h[1]))
			}
			ours := eventstream.Append([]byte("before"), block, []byte(row.payload))[len("before"):]
			var theirs bytes.Buffer
			if err := oracle.NewEncoder().Encode(&theirs, message); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours, theirs.Bytes()) {
				t.Fatalf("ours\n%x\ntheirs\n%x", ours, theirs.Bytes())
			}
			read, err := oracle.NewDecoder().Decode(bytes.NewReader(ours), nil)
			if err != nil || string(read.Payload) != row.payload || len(read.Headers) != len(row.headers) {
				t.Errorf("the SDK reads %v, %v", read, err)
			}
			frame, rest, more, err := eventstream.Decode(append(theirs.Bytes(), "next"...))
			if err != nil || more != 0 || string(rest) != "next" || string(frame.Payload) != row.payload {
				t.Fatalf("%v, rest %q, more %d, %v", frame, rest, more, err)
			}
			for _, h := range row.headers {
				if got := frame.Headers.Text(h[0]); got != h[1] {
					t.Errorf("%s is %q", h[0], got)
				}
			}
		})
	}
}

// Every type of header that the SDK can write is read with the value that it was given.
func TestHeaderTypes(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123)
	id := oracle.UUIDValue{1, 2, 3, 15: 16}
	message := oracle.Message{Headers: oracle.Headers{
		{Name: "t", Value: oracle.BoolValue(true)}, {Name: "f", Value: oracle.BoolValue(false)}, {Name: "8", Value: oracle.Int8Value(-1)},
		{Name: "16", Value: oracle.Int16Value(-2)}, {Name: "32", Value: oracle.Int32Value(-3)}, {Name: "64", Value: oracle.Int64Value(-4)},
		{Name: "b", Value: oracle.BytesValue("raw")}, {Name: "s", Value: oracle.StringValue("text")},
		{Name: "at", Value: oracle.TimestampValue(at)}, {Name: "id", Value: id},
	}}
	var raw bytes.Buffer
	if err := oracle.NewEncoder().Encode(&raw, message); err != nil {
		t.Fatal(err)
	}
	frame, _, _, err := eventstream.Decode(raw.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var got []eventstream.Header
	for h := range frame.Headers.All {
		got = append(got, h)
	}
	want := []eventstream.Header{
		{Name: "t", Type: eventstream.True, Value: []byte{}}, {Name: "f", Type: eventstream.False, Value: []byte{}}, {Name: "8", Type: eventstream.Int8, Value: []byte{0xff}},
		{Name: "16", Type: eventstream.Int16, Value: []byte{0xff, 0xfe}}, {Name: "32", Type: eventstream.Int32, Value: []byte{0xff, 0xff, 0xff, 0xfd}},
		{Name: "64", Type: eventstream.Int64, Value: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc}},
		{Name: "b", Type: eventstream.Bytes, Value: []byte("raw")}, {Name: "s", Type: eventstream.Text, Value: []byte("text")},
		{Name: "at", Type: eventstream.Timestamp, Value: binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))}, {Name: "id", Type: eventstream.UUID, Value: id[:]},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// raw builds a frame whose CRCs are right whatever else is wrong.
func raw(total, headers uint32, rest []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headers)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(b, rest...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// A row is a kind of damage; all are Corrupt.
func TestDamage(t *testing.T) {
	good := eventstream.Append(nil, eventstream.AppendText(nil, "name", "value"), []byte("payload"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, _, _, err := eventstream.Decode(bad); !fault.Is(err, fault.Corrupt) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	block := func(b string) []byte { return raw(uint32(16+len(b)), uint32(len(b)), []byte(b)) }
	for name, bad := range map[string][]byte{
		"shorter than itself":      raw(15, 0, nil),
		"headers longer than all":  raw(20, 5, []byte("abcd")),
		"too many headers":         raw(16+eventstream.HeadersMax+1, eventstream.HeadersMax+1, nil),
		"too much payload":         raw(16+eventstream.PayloadMax+1, 0, nil),
		"a name without a letter":  block("\x00\x00"),
		"a name past the end":      block("\x05abc"),
		"a name without a type":    block("\x03abc"),
		"a type that is none":      block("\x01a\x0a"),
		"a value past the end":     block("\x01a\x05\x00"),
		"a length cut in two":      block("\x01a\x07\x00"),
		"a text past the end":      block("\x01a\x07\x00\x02b"),
		"a text that is not UTF-8": block("\x01a\x07\x00\x01\xff"),
		"a name that is not UTF-8": block("\x01\xff\x00"),
	} {
		if frame, _, _, err := eventstream.Decode(bad); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v, %v", name, frame, err)
		}
	}
}

// A part of a frame says how much is missing, and a stream of frames is read whatever the pieces it comes in.
func TestPieces(t *testing.T) {
	var stream []byte
	for i := range 3 {
		one := eventstream.Append(nil, eventstream.AppendText(nil, "n", string(rune('a'+i))), bytes.Repeat([]byte{byte(i)}, i*5000))
		for n := range len(one) {
			if _, rest, more, err := eventstream.Decode(one[:n]); err != nil || len(rest) != n || more < 1 || n >= 12 && more != len(one)-n {
				t.Fatalf("%d of %d bytes: rest %d, more %d, %v", n, len(one), len(rest), more, err)
			}
		}
		stream = append(stream, one...)
	}
	r := eventstream.NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	for i := range 3 {
		frame, err := r.Next()
		if err != nil || frame.Headers.Text("n") != string(rune('a'+i)) || len(frame.Payload) != i*5000 {
			t.Fatalf("frame %d: %d bytes, %v", i, len(frame.Payload), err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	for _, n := range []int{1, 13, len(stream) - 1} {
		r := eventstream.NewReader(bytes.NewReader(stream[:n]))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d: %v", n, err)
		}
	}
}

// FuzzDecode: any bytes either are refused, by both decoders alike, or decode to the same and encode back to themselves.
func FuzzDecode(f *testing.F) {
	for _, row := range frames[:5] {
		var block []byte
		for _, h := range row.headers {
			block = eventstream.AppendText(block, h[0], h[1])
		}
		f.Add(block, []byte(row.payload))
	}
	f.Add([]byte("\x01a\x00\x01b\x04\x00\x00\x00\x01"), []byte("x"))
	f.Fuzz(func(t *testing.T, block, payload []byte) {
		_, _, _, _ = eventstream.Decode(payload) // must not panic
		if len(block) > eventstream.HeadersMax || len(payload) > 1<<20 {
			return
		}
		framed := eventstream.Append(nil, block, payload)
		frame, rest, more, err := eventstream.Decode(framed)
		theirs, theirErr := oracle.NewDecoder().Decode(bytes.NewReader(framed), nil)
		if err != nil {
			return // we are stricter: names and text are UTF-8
		}
		if theirErr != nil {
			t.Fatalf("we read what the SDK does not: %v", theirErr)
		}
		if more != 0 || len(rest) != 0 || !bytes.Equal(frame.Payload, payload) || !bytes.Equal(frame.Headers, block) || !bytes.Equal(theirs.Payload, payload) {
			t.Fatalf("%x %x: %v, rest %x, more %d", block, payload, frame, rest, more)
		}
		names := map[string]bool{} // the SDK keeps one header of a name
		for h := range frame.Headers.All {
			names[h.Name] = true
		}
		if len(names) != len(theirs.Headers) {
			t.Fatalf("headers %v, the SDK reads %d", names, len(theirs.Headers))
		}
	})
}

// A frame costs what its payload costs and one pass of CRC-32: no allocation where the buffer has room.
func TestAppendDoesNotAllocate(t *testing.T) {
	headers, payload := eventstream.AppendText(nil, ":event-type", "SubscribeToShardEvent"), make([]byte, 4096)
	for i := range payload {
		payload[i] = byte(rand.Uint32())
	}
	dst := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() { dst = eventstream.Append(dst[:0], headers, payload) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
