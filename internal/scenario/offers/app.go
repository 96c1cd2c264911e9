package offers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
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
	ok, distinct := a.take(r.URL.Path, body)
	if !ok {
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	}
	if a.Told != nil {
		a.Told(distinct)
	}
	w.WriteHeader(http.StatusOK)
}

func (a *App) take(path string, body []byte) (ok bool, distinct int) {
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
	}
	return true, len(a.seen)
}

// State gives what the app was told so far, for how many sign-ups that was, and how many calls it refused.
func (a *App) State() (all [][]byte, distinct, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[:len(a.all):len(a.all)], len(a.seen), a.refused
}
