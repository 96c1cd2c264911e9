package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/fault"
)

// stepClock notes where it was moved and how often it was drained.
type stepClock struct {
	now    time.Time
	moves  []string
	drains int
}

func (c *stepClock) Now() time.Time { return c.now }
func (c *stepClock) Set(_ context.Context, t time.Time) error {
	c.now = t
	c.moves = append(c.moves, t.Format("15:04:05"))
	return nil
}
func (c *stepClock) Drain(context.Context) error { c.drains++; return nil }

// Each row posts a body; the clock must move in those steps, drained before each and after the last, or the refusal must name what is wrong.
func TestMoveClock(t *testing.T) {
	for _, row := range []struct {
		name, body string
		status     int
		moves      string
		drains     int
		says       string
	}{
		{"steps", `{"advance":"25s","step":"10s","drain":true}`, 200, "13:00:10 13:00:20 13:00:25", 4, ""},
		{"at once", `{"advance":"10m"}`, 200, "13:10:00", 2, ""},
		{"no drain", `{"advance":"2s","step":"1s","drain":false}`, 200, "13:00:01 13:00:02", 0, ""},
		{"to a time", `{"to":"2026-11-18T14:00:00Z"}`, 200, "14:00:00", 2, ""},
		{"nowhere", `{"advance":"0s"}`, 200, "", 1, ""},
		{"back", `{"advance":"-1s"}`, 400, "", 0, "does not go back"},
		{"both", `{"advance":"1s","to":"2026-11-18T14:00:00Z"}`, 400, "", 0, "either advance"},
		{"neither", `{}`, 400, "", 0, "either advance"},
		{"bad step", `{"advance":"1s","step":"0s"}`, 400, "", 0, "step"},
		{"too many", `{"advance":"10000h","step":"1ms"}`, 400, "", 0, "steps"},
		{"unknown member", `{"advnce":"1s"}`, 400, "", 0, "advnce"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &stepClock{now: time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)}
			answer := post(console.New(console.Options{Metrics: prometheus.NewRegistry(), Clock: c}), row.body)
			if answer.Code != row.status || !strings.Contains(answer.Body.String(), row.says) {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
			if got := strings.Join(c.moves, " "); got != row.moves || c.drains != row.drains {
				t.Errorf("moves %q, %d drains", got, c.drains)
			}
		})
	}
}

func TestRealTimeRefusesClock(t *testing.T) {
	answer := post(console.New(console.Options{Metrics: prometheus.NewRegistry()}), `{"advance":"1s"}`)
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "--test-clock") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// Health says ok, or why not, and its status code says the same to those who only look at that.
func TestHealth(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		says   string
	}{{nil, 200, "ok"}, {fault.New(fault.Full, "the disk is full"), 503, "the disk is full"}} {
		h := console.New(console.Options{Metrics: prometheus.NewRegistry(), Health: func(context.Context) (console.Health, error) {
			return console.Health{Version: "v", Streams: 3}, row.err
		}})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/_weir/health", nil))
		var got console.Health
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != row.status || got.Status != row.says || got.Streams != 3 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/_weir/clock", strings.NewReader(body)))
	return w
}
