package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/vfs"
)

// openAudit opens the audit log, or gives nil when there is to be none.
func (n *Node) openAudit(fs vfs.FS) (*audit.Log, error) {
	if !n.config.Audit {
		return nil, nil
	}
	lost := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "weir_audit_lost_total", Help: "Control calls that are missing in the audit log, because it could not be written. The service goes on; make room or mend the disk.",
	})
	n.metrics.registry.MustRegister(lost)
	failing := false // Failed is called by one goroutine at a time
	log, err := audit.Open(audit.Options{FS: fs, Dir: datadir.Audit, Clock: clock.Real, Failed: func(err error) {
		if err != nil {
			lost.Inc()
		}
		switch {
		case err != nil && !failing:
			n.logger.Error("the audit log cannot be written; the service goes on without it", "err", err)
		case err == nil && failing:
			n.logger.Info("the audit log is written again")
		}
		failing = err != nil
	}})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, log.Close)
	return log, nil
}
