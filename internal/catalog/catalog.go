// Package catalog decides which resources exist: it is the machine of the control plane.
//
// It owns every resource's description, every command that changes one, the rules by which a command is refused, and the canonical
// bytes of the whole. It is pure: Apply has no clock, disk, goroutine or randomness, so that the same log gives the same state everywhere.
// Driving it from a log belongs to fold, running it in a node to controller, making and removing what a stream stands on to streams.
//
// What is published is a State: an immutable view that anyone may read without a lock for as long as they like.
//
// Read stream.go and state.go for what exists, then command.go and apply.go for how it changes, then snapshot.go.
package catalog
