package eventstream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/fault"
)

// Frame is a decoded frame. Its slices point into the bytes that it was decoded from.
type Frame struct {
	Headers Headers
	Payload []byte
}

// Headers is a block of headers that Decode has checked.
type Headers []byte

// Header is one header.
type Header struct {
	Name  string
	Type  Type
	Value []byte // without the length that Bytes and Text carry
}

// Text is the value of the text header of a name, or empty.
func (h Headers) Text(name string) string {
	for header := range h.All {
		if header.Type == Text && header.Name == name {
			return string(header.Value)
		}
	}
	return ""
}

// All visits the headers in order.
func (h Headers) All(yield func(Header) bool) {
	for len(h) > 0 {
		var header Header
		var err error
		if header, h, err = cut(h); err != nil || !yield(header) {
			return // Decode has seen that there is no error
		}
	}
}

// Decode takes the first frame off b. more is how many bytes are missing when b holds only a part of it, and then frame is empty and rest is b; it is
// a lower bound until the prelude is there. Corrupt as the package says; a length is believed only when the prelude's CRC vouches for it.
func Decode(b []byte) (frame Frame, rest []byte, more int, err error) {
	if len(b) < preludeBytes {
		return Frame{}, b, frameMin - len(b), nil
	}
	total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if want, got := binary.BigEndian.Uint32(b[8:]), crc32.ChecksumIEEE(b[:8]); want != got {
		return Frame{}, nil, 0, fault.New(fault.Corrupt, "frame: the prelude's CRC is %08x, its bytes have %08x", want, got)
	}
	if headers > HeadersMax {
		return Frame{}, nil, 0, fault.New(fault.Corrupt, "frame: %d bytes of headers, at most %d are allowed", headers, HeadersMax)
	}
	if total < frameMin+headers || total > frameMin+headers+PayloadMax {
		return Frame{}, nil, 0, fault.New(fault.Corrupt, "frame: a length of %d with %d bytes of headers", total, headers)
	}
	if len(b) < int(total) {
		return Frame{}, b, int(total) - len(b), nil
	}
	end := int(total) - crcBytes
	if want, got := binary.BigEndian.Uint32(b[end:]), crc32.ChecksumIEEE(b[:end]); want != got {
		return Frame{}, nil, 0, fault.New(fault.Corrupt, "frame: the message's CRC is %08x, its bytes have %08x", want, got)
	}
	block := b[preludeBytes : preludeBytes+headers]
	for left := block; len(left) > 0; {
		if _, left, err = cut(left); err != nil {
			return Frame{}, nil, 0, err
		}
	}
	return Frame{Headers: block, Payload: b[preludeBytes+headers : end]}, b[total:], 0, nil
}

// cut takes the first header off a block.
func cut(b []byte) (Header, []byte, error) {
	n := int(b[0])
	if n == 0 || len(b) < 1+n+1 {
		return Header{}, nil, fault.New(fault.Corrupt, "frame: a header's name of %d bytes where %d are left", n, len(b)-1)
	}
	h := Header{Name: string(b[1 : 1+n]), Type: Type(b[1+n])}
	b = b[1+n+1:]
	if !utf8.ValidString(h.Name) {
		return Header{}, nil, fault.New(fault.Corrupt, "frame: a header's name is not UTF-8")
	}
	if int(h.Type) >= len(width) {
		return Header{}, nil, fault.New(fault.Corrupt, "frame: header %q has type %d", h.Name, h.Type)
	}
	size := width[h.Type]
	if size < 0 {
		if len(b) < 2 {
			return Header{}, nil, fault.New(fault.Corrupt, "frame: header %q ends in its length", h.Name)
		}
		size = int(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if size > len(b) || size > valueMax {
		return Header{}, nil, fault.New(fault.Corrupt, "frame: header %q has %d bytes, %d are left", h.Name, size, len(b))
	}
	h.Value = b[:size]
	if h.Type == Text && !utf8.Valid(h.Value) {
		return Header{}, nil, fault.New(fault.Corrupt, "frame: header %q is not UTF-8", h.Name)
	}
	return h, b[size:], nil
}

// Reader reads frames from a stream.
type Reader struct {
	in  *bufio.Reader
	buf []byte
}

// NewReader reads frames from in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReader(in)} }

// Next is the next frame, valid until the one after it. io.EOF at the end of the stream, io.ErrUnexpectedEOF when that is inside a frame, Corrupt
// as Decode.
func (r *Reader) Next() (Frame, error) {
	r.buf = r.buf[:0]
	for {
		frame, _, more, err := Decode(r.buf)
		if err != nil || more == 0 {
			return frame, err
		}
		if len(r.buf) == 0 {
			more = preludeBytes // what follows it is not worth asking for before it is checked
		}
		have := len(r.buf)
		r.buf = append(r.buf, make([]byte, more)...)
		if _, err := io.ReadFull(r.in, r.buf[have:]); err != nil {
			if have > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return Frame{}, err
		}
	}
}
