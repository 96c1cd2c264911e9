package store

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fold/commands"
)

// CRCs of parts give the CRC of the whole, whatever the lengths.
func TestChecksumsCombine(t *testing.T) {
	r := random(t)
	for range 200 {
		var parts []Segment
		var whole []byte
		algorithm := []Algorithm{CRC32, CRC32C, CRC64NVME}[r.IntN(3)]
		for range 1 + r.IntN(4) {
			part := make([]byte, r.IntN(3000))
			for i := range part {
				part[i] = byte(r.Uint32())
			}
			d := newDigests([]Algorithm{algorithm})
			d.add(part)
			parts = append(parts, Segment{Size: int64(len(part)), Checksum: d.sums()[algorithm]})
			whole = append(whole, part...)
		}
		d := newDigests([]Algorithm{algorithm})
		d.add(whole)
		got, ok := checksumOf(algorithm, false, parts)
		if want := d.sums()[algorithm]; !ok || got.Value != want {
			t.Fatalf("%s of %d parts is %s, want %s", algorithm, len(parts), got.Value, want)
		}
	}
}

// The check values of the catalogue of CRCs ("123456789"), and of the standards for the others.
func TestChecksums(t *testing.T) {
	for algorithm, want := range map[Algorithm][]byte{
		CRC32: {0xcb, 0xf4, 0x39, 0x26}, CRC32C: {0xe3, 0x06, 0x92, 0x83}, CRC64NVME: {0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88},
	} {
		d := newDigests([]Algorithm{algorithm})
		d.add([]byte("123456789"))
		if got := d.sums()[algorithm]; got != base64.StdEncoding.EncodeToString(want) {
			t.Errorf("%s is %s, want %x", algorithm, got, want)
		}
	}
}

// Commands and snapshots read any bytes without harm, and what they read they write as it was.
func FuzzCommand(f *testing.F) {
	for _, c := range []Command{
		CreateBucket{Account: account, Bucket: "b", Max: 1}, PutObject{Key: "k", Segment: Segment{File: 3, Size: 4}}, DeleteObjects{Items: []Delete{{Key: "k"}}},
		CompleteUpload{Parts: []CompletePart{{Number: 1}}}, SetLifecycle{Lifecycle: &Lifecycle{Rules: []Rule{{ID: "x"}}}},
	} {
		b, err := commands.Encode(c.kind(), c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Empty()
		for position := range int64(2) {
			next, result, _, _, err := apply(s, time.UnixMilli(1), position, b)
			if err != nil {
				return
			}
			if _, err := decodeResult(result); err != nil {
				if _, refused := AsRefusal(err); !refused {
					t.Fatalf("result %s: %v", result, err)
				}
			}
			s = next
		}
	})
}

// FuzzSnapshot holds what decodes to its own encoding.
func FuzzSnapshot(f *testing.F) {
	s := Empty()
	for i, c := range []Command{
		CreateBucket{Account: account, Bucket: "b", Max: 1}, PutObject{Account: account, Bucket: "b", Key: "k", Segment: Segment{File: 3, Size: 4}},
		CreateUpload{Account: account, Bucket: "b", Key: "k", Upload: "u"}, PutPart{Account: account, Bucket: "b", Key: "k", Upload: "u", Part: Segment{Number: 1, File: 4, Size: 1}},
	} {
		b, err := commands.Encode(c.kind(), c)
		if err != nil {
			f.Fatal(err)
		}
		if s, _, _, _, err = apply(s, start, int64(i), b); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		first := s.encode()
		again, err := decodeState(first)
		if err != nil || !bytes.Equal(again.encode(), first) {
			t.Fatalf("%s became %v", first, err)
		}
	})
}

// An upload without an algorithm makes an object with the checksum that the command names, if its parts have one each; version 1 named none.
func TestChecksumOfAnUploadThatNamedNone(t *testing.T) {
	digest := func(body string) string {
		d := newDigests([]Algorithm{CRC64NVME})
		d.add([]byte(body))
		return d.sums()[CRC64NVME]
	}
	complete := CompleteUpload{Account: account, Bucket: "b", Key: "k", Upload: "u", Parts: []CompletePart{{Number: 1, ETag: hexMD5}}, Otherwise: CRC64NVME}
	encoded := func(c Command) []byte {
		b, err := commands.Encode(c.kind(), c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	second := encoded(complete)
	complete.Otherwise = ""
	first := bytes.Replace(encoded(complete), []byte("CompleteUpload.2"), []byte("CompleteUpload.1"), 1)
	for _, row := range []struct {
		name     string
		checksum string // of the part
		command  []byte
		want     Checksum
	}{
		{"version 2", digest("x"), second, Checksum{Algorithm: CRC64NVME, Value: digest("x")}},
		{"version 2, of a part from before", "", second, Checksum{}},
		{"version 1", digest("x"), first, Checksum{}},
	} {
		s := Empty()
		for i, command := range [][]byte{
			encoded(CreateBucket{Account: account, Bucket: "b", Max: 1}), encoded(CreateUpload{Account: account, Bucket: "b", Key: "k", Upload: "u"}),
			encoded(PutPart{Account: account, Bucket: "b", Key: "k", Upload: "u", Part: Segment{Number: 1, File: 4, Size: 1, ETag: hexMD5, Checksum: row.checksum}}), row.command,
		} {
			next, result, _, _, err := apply(s, start, int64(i), command)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decodeResult(result); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			s = next
		}
		if got := s.Bucket("b").Object("k").Checksum; got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
	}
}

const hexMD5 = "9dd4e461268c8034f5c8564e155c67a6" // of x
