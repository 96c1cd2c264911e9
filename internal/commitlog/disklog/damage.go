package disklog

import (
	"errors"
	"fmt"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// Damage says which positions of a log cannot be read, and why. It is in the chain of every Corrupt error of Read and PositionAt.
type Damage struct {
	Log  commitlog.ID
	From commitlog.Position // the first position lost
	To   commitlog.Position // where reading may go on
	File string             // the damaged file; empty when the file that held the positions is gone
	At   int64              // the place in File, bytes
}

// Error names log, positions and place.
func (d *Damage) Error() string {
	if d.File == "" {
		return fmt.Sprintf("log %s: positions %d to %d are missing: no segment file holds them", d.Log, d.From, d.To-1)
	}
	return fmt.Sprintf("log %s: positions %d to %d are damaged: %s at byte %d", d.Log, d.From, d.To-1, d.File, d.At)
}

// DamageOf finds the Damage in err's chain: reading may go on at its To.
func DamageOf(err error) (Damage, bool) {
	var d *Damage
	if errors.As(err, &d) {
		return *d, true
	}
	return Damage{}, false
}

func (s *Store) damaged(d Damage) error {
	s.options.OnEvent(Damaged{d})
	return fault.As(fault.Corrupt, &d, "read")
}
