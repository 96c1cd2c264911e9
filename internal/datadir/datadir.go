// Package datadir names what is in a data directory.
//
// It owns the names, which the server, doctor, backup and restore must agree on. What the files hold belongs to those who write them.
//
// There is only this file.
package datadir

// Names in a data directory.
const (
	Log         = "log"              // every stream's records and the control log: commitlog/disklog
	Control     = "control"          // snapshots of the catalog: fold
	Tables      = "tables"           // what is in tables, and what there are, in a directory for each account and region: tables
	Keys        = "keys.json"        // access keys: auth
	Secret      = "secret"           // 32 bytes that sign iterators and page tokens
	TLS         = "tls"              // the server's authority and certificate: edge
	MasterKeys  = "master-keys.json" // master keys of encrypted streams, unless the configuration puts them elsewhere: envelope
	Objects     = "objects"          // buckets and objects: blob/store
	Audit       = "audit"            // the audit log, a file a day: audit
	Checkpoints = "checkpoints"      // snapshots of how far the server's own consumers have come: readers
	Mappings    = "mappings"         // snapshots of the event source mappings: functions/mapping
	Delivery    = "delivery"         // snapshots of the delivery streams: delivery
	Functions   = "functions"        // functions' code, and snapshots of what exists: functions
	Quarantine  = "quarantine"       // what repairs took out of use, a directory each
	Pins        = "pins"             // what a backup that is under way holds on to: see backup
)

// Folders of Functions, and what the snapshots in the first call their log.
const (
	FunctionsCatalog = Functions + "/catalog" // snapshots: fold
	FunctionsCode    = Functions + "/code"    // zip files by their SHA-256
	FunctionsName    = "functions"
)

// What the snapshots in Checkpoints, Mappings and Delivery call their logs.
const (
	CheckpointsName = "checkpoints"
	MappingsName    = "mappings"
	DeliveryName    = "delivery"
)

// SecretBytes is the size of Secret.
const SecretBytes = 32

// ControlName is what the snapshots in Control call the control log.
const ControlName = "control"

// LastBackup is the file that says when the directory was last backed up, and to where.
const LastBackup = "last-backup.json"

// Small are the files and directories beside Log and Control that a backup has, as far as they are there: without masterKeys nothing that opens encrypted records.
func Small(masterKeys bool) []string {
	names := []string{Keys, Secret, TLS, Audit}
	if masterKeys {
		names = append(names, MasterKeys)
	}
	return names
}
