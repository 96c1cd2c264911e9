package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// Pin is the data directory at one moment, held still under second names.
type Pin struct {
	Data  string    `json:"data"`  // the data directory, absolute
	Dir   string    `json:"dir"`   // where log/ and control/ are as they were, absolute
	Taken time.Time `json:"taken"` // the server's time: what was acknowledged before it is there

	Release func() `json:"-"`
}

// holdPin pins the data directory, answers with one line that says where, and holds the pin for as long as the client stays. So a client that dies lets go, too.
func holdPin(w http.ResponseWriter, r *http.Request, pin func(context.Context) (Pin, error)) {
	if pin == nil {
		refuse(w, http.StatusNotFound, "this server cannot be backed up while it runs")
		return
	}
	p, err := pin(r.Context())
	if err != nil {
		status := http.StatusInternalServerError
		if fault.Is(err, fault.Conflict) {
			status = http.StatusConflict
		}
		refuse(w, status, err.Error())
		return
	}
	defer p.Release()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if json.NewEncoder(w).Encode(p) != nil || http.NewResponseController(w).Flush() != nil {
		return // nobody is there
	}
	<-r.Context().Done() // the client's end, or the server's
}

// LastBackup is the content of datadir.LastBackup: what `weir backup` notes when it is done.
type LastBackup struct {
	Taken time.Time `json:"taken"` // the server's time that it is of
	To    string    `json:"to"`
	Bytes int64     `json:"bytes"`
	// Beside are the engines beyond streams that are in it: "tables of ACCOUNT in REGION", "objects", "functions". Empty is none: an earlier Weir left them out.
	Beside []string `json:"beside,omitempty"`
}
