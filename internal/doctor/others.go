package doctor

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
)

// missingMasters notes the streams whose records cannot be opened with the master keys that are here. They may be elsewhere: the configuration says where, and the server tells.
func (x *Examination) missingMasters(here []string) {
	for stream := range x.state.All() {
		var missing []string
		for _, k := range stream.DataKeys {
			if !slices.Contains(here, k.Master) && !slices.Contains(missing, k.Master) {
				missing = append(missing, k.Master)
			}
		}
		if len(missing) > 0 {
			x.say(Finding{Kind: disklog.MasterKeyElsewhere, Stream: stream.Name, Account: stream.Account, Region: stream.Region, Text: fmt.Sprintf(
				"stream %s (account %s, %s): records are sealed under master key %s, which is not in %s: they can be read only with it",
				stream.Name, stream.Account, stream.Region, strings.Join(missing, ", "), datadir.MasterKeys)}, true)
		}
	}
}

// others looks at the files beside the logs.
func (x *Examination) others() {
	bad := func(file string, err error, why string) {
		x.say(Finding{Kind: disklog.FileDamaged, File: file, Text: fmt.Sprintf("%s: %v", file, err)}, false)
		x.put = append(x.put, aside{file, why})
	}
	if err := auth.Check(x.options.FS); err != nil {
		bad(datadir.Keys, err, "no client is known until weir keys create makes a key")
	}
	masters, err := envelope.Check(x.options.FS, datadir.MasterKeys)
	if err != nil { // it is not put aside: without it encrypted records are lost
		x.say(Finding{Kind: disklog.FileDamaged, File: datadir.MasterKeys, Text: fmt.Sprintf("%s: %v; put your copy of it back", datadir.MasterKeys, err)}, false)
	} else {
		x.missingMasters(masters)
	}
	secret, err := secretfile.Read(x.options.FS, datadir.Secret, datadir.SecretBytes)
	if err == nil && len(secret) != datadir.SecretBytes {
		err = fault.New(fault.Corrupt, "%d bytes instead of %d", len(secret), datadir.SecretBytes)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		bad(datadir.Secret, err, "the next start makes another; iterators that are out are refused, and clients get new ones")
	}
	x.orphans(datadir.Control, "counts for nothing", func(name string) bool { return path.Ext(name) == ".bad" || name == "snapshot.tmp" })
	x.orphans(datadir.Pins, "was held for a backup when the server ended; the next start removes it", func(string) bool { return true })
	slices.SortStableFunc(x.Report.Findings, func(a, b Finding) int { return cmp.Compare(a.File, b.File) })
}

// orphans notes the files of a directory that nobody reads.
func (x *Examination) orphans(dir, why string, is func(name string) bool) {
	names, err := x.options.FS.List(dir)
	if err != nil {
		return // there is none
	}
	for _, name := range names {
		if is(name) {
			file := path.Join(dir, name)
			x.say(Finding{Kind: disklog.Orphan, File: file, Text: file + " " + why}, true)
		}
	}
}
