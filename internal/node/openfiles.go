package node

import "github.com/weir-stream/weir/internal/edge"

// filesKept is how many files the process keeps for itself beside its connections: journals, segments (256 MiB each by default), snapshots, keys. A
// server that spent its last file on a connection could not write any more.
const filesKept = 1000

// connectionsMax is how many connections the API may have: what is configured, unless the process may open too few files for that.
func (n *Node) connectionsMax() int {
	wanted := n.config.ConnectionsMax
	if wanted == 0 {
		wanted = edge.ConnectionsMaxDefault
	}
	files, known := openFilesMax()
	most := connectionsFor(files)
	if !known || wanted <= most {
		return wanted
	}
	if n.config.ConnectionsMax != 0 || most < edge.ConnectionsMaxDefault/2 {
		n.logger.Warn("fewer connections than configured: the process may not open enough files (ulimit -n)", "connections_max", wanted, "open_files_max", files, "connections", most)
	}
	return most
}

// connectionsFor is how many connections leave enough of so many files for everything else: all but filesKept, or half when that is less than twice as many.
func connectionsFor(files int) int { return max(files-filesKept, files/2) }
