//go:build !unix

package node

// openFilesMax is how many files the process may have open: here the system sets no limit worth asking for.
func openFilesMax() (files int, known bool) { return 0, false }
