package edge_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weir-stream/weir/internal/edge"
)

// streamService takes every PUT as a stream.
type streamService struct{ pathService }

func (streamService) TakesStream(r *http.Request) bool { return r.Method == http.MethodPut }

// wrapped stands around a service, as node's counting does.
type wrapped struct{ edge.Service }

func (w wrapped) Unwrap() edge.Service { return w.Service }

func streaming(serve func(*edge.Call)) edge.Service {
	return wrapped{streamService{pathService{service{"s3", "", serve}, "/"}}}
}

// echo answers how much came and its hash, or why it did not.
func echo(c *edge.Call) {
	h := sha256.New()
	n, err := io.Copy(h, c.Stream)
	var body *edge.BodyError
	if errors.As(err, &body) {
		c.Fail(body.Status, body.Code, body.Message)
		return
	}
	c.Reply(200, "text/plain", fmt.Appendf(nil, "%d %x %s %v", n, h.Sum(nil), c.Request.Trailer.Get("X-Amz-Checksum-Crc32"), c.Body != nil))
}

// A body far larger than the room for bodies arrives as a stream, over every transport, with its hash checked and its framing taken off.
func TestStreamedBodies(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{streaming(echo)}, BodyBytesMax: 1 << 20, BodiesBytesMax: 1 << 20})
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	var chunked bytes.Buffer
	for rest := body; len(rest) > 0; rest = rest[1<<20:] {
		fmt.Fprintf(&chunked, "%x\r\n%s\r\n", 1<<20, rest[:1<<20])
	}
	chunked.WriteString("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
	for name, c := range map[string]*http.Client{
		"http1": client(t, nil),
		"h2c":   client(t, func(tr *http.Transport) { tr.Protocols.SetHTTP1(false); tr.Protocols.SetUnencryptedHTTP2(true) }),
	} {
		for _, row := range []struct {
			hash, encoding string
			send           []byte
			want           string
		}{
			{"", "", body, fmt.Sprintf("%d %s  false", len(body), hash)},
			{hash, "", body, fmt.Sprintf("%d %s  false", len(body), hash)},
			{strings.Repeat("0", 64), "", body, "XAmzContentSHA256Mismatch"},
			{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "aws-chunked", chunked.Bytes(), fmt.Sprintf("%d %s AAAAAA== false", len(body), hash)},
			{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "aws-chunked", chunked.Bytes()[:chunked.Len()-100], "MalformedHttpRequestException"},
			{"", "", nil, fmt.Sprintf("0 %x  false", sha256.Sum256(nil))},
		} {
			q, err := http.NewRequest("PUT", r.url()+"bucket/key", bytes.NewReader(row.send))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261118/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
			q.Header.Set("X-Amz-Date", "20261118T131415Z")
			if row.hash != "" {
				q.Header.Set("X-Amz-Content-Sha256", row.hash)
			}
			if row.encoding != "" {
				q.Header.Set("Content-Encoding", row.encoding)
			}
			if resp, got := do(t, c, q); !strings.HasPrefix(got, row.want) && !strings.HasPrefix(resp.Header.Get("X-Amzn-Errortype"), row.want) {
				t.Errorf("%s, %q: %d %.200s, want %s", name, row.hash, resp.StatusCode, got, row.want)
			}
		}
	}
}

// A client that sends a stream too slowly, or not to its end, hears so; one that is refused before its body is asked for sends none.
func TestStreamLimits(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{streaming(func(c *edge.Call) {
		if c.Request.Header.Get("Refuse") != "" {
			c.Fail(http.StatusConflict, "Refused", "")
			return
		}
		echo(c)
	})}, BodyGrace: 50 * time.Millisecond})
	const head = "PUT /b/k HTTP/1.1\r\nHost: localhost\r\n"
	for _, row := range []struct {
		name, send string
		half       bool
		status     int
		want       string
	}{
		{"slow", head + "Content-Length: 100\r\n\r\nsome", false, http.StatusRequestTimeout, ""},
		{"short", head + "Content-Length: 100\r\n\r\nsome", true, http.StatusBadRequest, ""},
		{"refused before the body", head + "Refuse: yes\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", false, http.StatusConflict, ""},
		{"refused with the body on its way", head + "Refuse: yes\r\nContent-Length: 100\r\n\r\nsome", false, http.StatusConflict, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dial(t, r)
			fmt.Fprint(c, row.send)
			if row.half {
				if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			if status, body := c.answer(t); status != row.status {
				t.Errorf("%d %s, want %d", status, body, row.status)
			}
		})
	}
}

// An answer that is written as a stream arrives whole, and one whose source breaks is not taken for whole.
func TestReplyStream(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 3<<20)
	r := start(t, edge.Options{Services: []edge.Service{streaming(func(c *edge.Call) {
		var from io.Reader = bytes.NewReader(body)
		if c.Request.URL.Path == "/broken" {
			from = io.MultiReader(io.LimitReader(from, 2<<20), iotest.ErrReader(errors.New("broken")))
		}
		if err := c.ReplyStream(200, int64(len(body)), from); (err != nil) != (c.Request.URL.Path == "/broken") {
			t.Errorf("%s: %v", c.Request.URL.Path, err)
		}
	})}})
	for name, c := range map[string]*http.Client{
		"http1": client(t, nil),
		"h2c":   client(t, func(tr *http.Transport) { tr.Protocols.SetHTTP1(false); tr.Protocols.SetUnencryptedHTTP2(true) }),
	} {
		for _, path := range []string{"whole", "broken", "whole"} {
			resp, err := c.Get(r.url() + path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if path == "whole" && (err != nil || !bytes.Equal(got, body)) || path == "broken" && err == nil {
				t.Errorf("%s, %s: %d bytes, %v", name, path, len(got), err)
			}
		}
	}
}
