package offers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// App is the provider's app, which the function tells of every offer. It remembers whom it was told of, so that being told twice harms nobody. Safe for
// concurrent use.
type App struct {
	// Told is called with how many sign-ups have an offer by now, after each call that the function made. May be nil. Set before the first call.
	Told func(distinct int)

	mu      sync.Mutex // guards everything below
	refuse  int        // calls that are still to be answered with 500
	refused int
	tried   map[string]int // by key of a poison sign-up
	seen    map[string]bool
	all     [][]byte // what the app was told, in its order
	batches []Batch  // those of the calls that it did not refuse, in its order
}

// Batch is one invocation of the function, as it tells the app of it.
type Batch struct {
	Shard       string
	First, Last time.Time // when sign-ups of it arrived in the stream
	Offers      int
}

// NewApp makes an app that answers the first refuse calls with 500.
func NewApp(refuse int) *App {
	return &App{refuse: refuse, tried: map[string]int{}, seen: map[string]bool{}}
}

// ServeHTTP takes offers at /offers, one a line. At /tried it takes keys of sign-ups that the function is to fail on, and answers 500 until each was tried
// often enough: a function has no memory of its own that lasts from one process to the next.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ok, distinct := a.take(r.URL.Path, batchOf(r.Header), body)
	if !ok {
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	}
	if a.Told != nil {
		a.Told(distinct)
	}
	w.WriteHeader(http.StatusOK)
}

// batchOf reads what a call says of its batch. What it does not say is nought.
func batchOf(h http.Header) Batch {
	b := Batch{Shard: h.Get(shardHeader)}
	first, last, _ := strings.Cut(h.Get(arrivedHeader), " ")
	b.First, _ = time.Parse(timeFormat, first)
	b.Last, _ = time.Parse(timeFormat, last)
	return b
}

func (a *App) take(path string, batch Batch, body []byte) (ok bool, distinct int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if path == "/tried" {
		ok = true
		for key := range strings.SplitSeq(string(body), "\n") {
			if a.tried[key]++; a.tried[key] <= poisonTries {
				a.refused, ok = a.refused+1, false
			}
		}
		return ok, len(a.seen)
	}
	if a.refuse > 0 {
		a.refuse--
		a.refused++
		return false, len(a.seen)
	}
	for line := range bytes.Lines(body) {
		var offer Offer
		if json.Unmarshal(line, &offer) == nil {
			a.seen[offer.Key()] = true
		}
		a.all = append(a.all, bytes.TrimSpace(line))
		batch.Offers++
	}
	a.batches = append(a.batches, batch)
	return true, len(a.seen)
}

// State gives what the app was told so far, for how many sign-ups that was, and how many calls it refused.
func (a *App) State() (all [][]byte, distinct, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[:len(a.all):len(a.all)], len(a.seen), a.refused
}

// Batches gives the invocations of the function that the app heard of and did not refuse.
func (a *App) Batches() []Batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.batches[:len(a.batches):len(a.batches)]
}
