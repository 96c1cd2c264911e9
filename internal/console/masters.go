package console

import (
	"context"
	"net/http"
)

// Masters is what the node knows of its master keys.
type Masters interface {
	// MastersNeeded says under which versions of master keys (NAME:VERSION) data keys are wrapped, and how many under each.
	MastersNeeded() map[string]int
	// Rewrap wraps every data key under the newest version of its master key, and says how many it had to.
	Rewrap(ctx context.Context) (int, error)
}

// MasterState is what /_weir/master-keys answers. It holds no keys.
type MasterState struct {
	Needed    map[string]int `json:"needed"`    // NAME:VERSION → how many data keys it wraps
	Rewrapped int            `json:"rewrapped"` // by this request
	Error     string         `json:"error,omitempty"`
}

func showMasters(w http.ResponseWriter, m Masters) {
	reply(w, http.StatusOK, MasterState{Needed: m.MastersNeeded()})
}

// rewrap does it. Asking twice, or unasked, does no harm: the second time there is nothing left to do.
func rewrap(w http.ResponseWriter, r *http.Request, m Masters) {
	n, err := m.Rewrap(r.Context())
	state, status := MasterState{Needed: m.MastersNeeded(), Rewrapped: n}, http.StatusOK
	if err != nil {
		status, state.Error = http.StatusServiceUnavailable, err.Error()
	}
	reply(w, status, state)
}
