package node

import (
	"log/slog"

	"github.com/weir-stream/weir/internal/commitlog/disklog"
)

// VersionOf is Version of a given build.
var VersionOf = versionOf

// NotOpen is a node as it is while its store opens: nothing is there yet but the metrics and the logger.
func NotOpen(config Config, logger *slog.Logger) *Node {
	return &Node{config: config, logger: logger, metrics: newMetrics()}
}

// Observe is what the store calls.
func (n *Node) Observe(e disklog.Event) { n.observeLog(e) }
