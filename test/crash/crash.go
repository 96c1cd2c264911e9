// Package crash kills real processes on a real disk and asks whether what they acknowledged is still there.
//
// It owns the loop: start a child under load, read what it acknowledges from a pipe, kill -9 it at a random moment, open its directory,
// compare. One child is the log store; another is a whole server, which is asked over the API to split and merge shards and killed while it
// does; a third is a server with a table whose changes go to a function, killed between the write, the read of its change, the invocation and the checkpoint.
// What can be asked without a process (power loss, torn writes, failing disks) is asked in commitlog/disklog and test/history.
//
// Read crash_test.go, then child_test.go; then reshard_test.go and mapping_test.go.
package crash
