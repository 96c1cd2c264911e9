// Package disklog is the log store of the embedded mode: a directory of files on this machine.
//
// It owns what is on the disk and when: the journal that makes appends durable, the segment files that hold what is older, the
// manifest that says which files count, retention, and recovery. The bytes of a batch belong to commitlog/batch, those of a segment file
// to commitlog/segment, files as such to vfs. Every byte is drawn in docs/format/disklog.md.
//
// # How it works
//
// Many logs, few syncs. All logs share one journal. An append copies its batch into the block that is being filled and waits; one
// goroutine, the writer, takes the block, writes it with one write and one sync for everyone in it, makes it visible and wakes them.
// Meanwhile the next block fills. What is in the journal is served from the very memory it was copied to.
//
//	Append ─▶ filling block ─▶ writer: write, sync, publish ─▶ journal file     (append.go, writer.go, journal.go)
//	                                        │
//	Read ◀── tail: slices of the blocks ◀───┘                                   (tail.go, read.go)
//	  ▲
//	  └───── segment files ◀── layout: a full journal file, sorted by log       (layout.go, ../segment)
//	                       ◀── tend: retention, merging                         (retention.go, merge.go)
//
// A full journal file is laid out into segment files, one for each retention among its logs, every log in one piece. Then a new manifest
// names them, and the journal file is deleted.
//
// # Why nothing acknowledged is lost
//
// In the order of a record's life; recover.go is the other half of each argument.
//
//  1. An append is acknowledged after the sync of its block returned (Durability Sync).
//  2. Block n+1 is written only after the sync of block n returned, or block n was given up by 4. Every block says which block was known
//     durable when it was written. So a broken block is the torn end of what a crash interrupted, unless a later block or a later
//     file says it was durable: then it is damage, and Open refuses, naming file and place, rather than serve less than was acknowledged.
//  3. A write that ran out of space left an incomplete block, which no checksum accepts. The next block is written over it.
//  4. After an error of write or sync nobody knows what is on the disk. The file is never written again: the next block goes to a new file, whose
//     header gives the failed block's sequence as its first. So recovery ignores the failed block from the moment when something can be
//     acknowledged again. Until then its appenders know that it may have happened.
//  5. A journal file begins to be used when its header and its name are durable, and everything below its first sequence is.
//  6. A segment is named by a manifest only when its bytes and its name are durable. A manifest replaces another by renaming, and counts when the
//     directory is durable. What only the old manifest names is deleted after that. So either manifest finds all its files, whichever a crash leaves.
//  7. Open makes durable again what it found at the end of the journal before it serves it, since it may only have been in the kernel's memory.
//
// With Interval and OS the first point is relaxed, the others are not: after a power failure the newest appends may be gone, those that are
// left form the same order without a gap, and damage is still told from a torn end.
//
// # Locks
//
// Store.mu guards what is being filled, log.mu what is visible of one log, Store.structure what the manifest says. Order: structure, mu,
// log.mu. None but structure is held across a read, write or sync.
//
// Read store.go, append.go, writer.go; then recover.go; then layout.go and read.go.
package disklog
