package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/functions/mapping"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/vfs"
)

// The logs of event source mappings, which are the system's own: how far consumers have come, and which mappings there are. docs/format/checkpoints.md and
// docs/format/mappings.md draw them.
var (
	checkpointsLog = commitlog.ID{Member: 4}
	mappingsLog    = commitlog.ID{Member: 5}
)

// openMappings makes the parts that invoke functions with the records of streams.
func (n *Node) openMappings(ctx context.Context, fs vfs.FS, now clock.Clock) error {
	var logs [2]commitlog.Log
	var sessions [2]uint64
	for i, id := range []commitlog.ID{checkpointsLog, mappingsLog} {
		err := n.store.Create(ctx, id, commitlog.Config{})
		if err == nil {
			logs[i], err = n.store.Open(ctx, id)
		}
		if err != nil {
			return err
		}
		var session [8]byte
		if _, err := rand.Read(session[:]); err != nil {
			return fault.As(fault.Internal, err, "session id")
		}
		sessions[i] = binary.BigEndian.Uint64(session[:]) | 1
	}
	test := n.config.TestClock != ""
	// Objects are reached as engines reach any S3; what is put so is no call of a customer's, and not in the audit log.
	local, err := s3.New(s3.Options{Store: n.objects, Clock: now, Logger: n.logger}).Local(n.logger)
	if err != nil {
		return err
	}
	n.consumed, err = readers.OpenCheckpoints(ctx, readers.CheckpointOptions{
		Log: logs[0], FS: fs, Dir: datadir.Checkpoints, Clock: now, Session: sessions[0], TestClock: test, Logger: n.logger,
	})
	if err != nil {
		return fault.Wrap(err, "checkpoints")
	}
	n.mappings, err = mapping.Open(ctx, mapping.Options{
		Log: logs[1], FS: fs, Dir: datadir.Mappings, Clock: now, Session: sessions[1], TestClock: test, Checkpoints: n.consumed, Sources: eventSources{n},
		Functions: mappedFunctions{n.functions}, Objects: mappedObjects{local}, Random: rand.Reader, Logger: n.logger,
	})
	if err != nil {
		return fault.Wrap(err, "event source mappings")
	}
	n.metrics.registry.MustRegister(mappingMetrics{n.mappings})
	return nil
}

// mappedObjects is where mappings tell of what they discard.
type mappedObjects struct{ server http.Handler }

// Put is mapping.Objects'.
func (o mappedObjects) Put(ctx context.Context, account, region, bucket, key string, body []byte) error {
	client, err := blob.New(blob.Options{Embedded: o.server, Region: region, AccessKeyID: account})
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, bucket, key, bytes.NewReader(body), int64(len(body)), blob.Put{ContentType: "application/json"})
	return err
}

// eventSources finds the streams that mappings read.
type eventSources struct{ node *Node }

// Source is mapping.Sources'.
func (s eventSources) Source(text string) (mapping.Source, error) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return mapping.Source{}, fault.New(fault.Invalid, "Unrecognized event source.")
	}
	if of, isTable := strings.CutPrefix(parsed.Resource, "table/"); isTable && parsed.Service == "dynamodb" {
		table, label, isStream := strings.Cut(of, "/stream/")
		if !isStream {
			return mapping.Source{}, fault.New(fault.Invalid, "Unrecognized event source, must be kinesis, dynamodb stream. The ARN %s is that of a table.", text)
		}
		return mapping.Source{
			Source: &tables.Feed{Engine: s.node.tables, Account: parsed.Account, Region: parsed.Region, Table: table, Label: label},
			Kind:   mapping.Table, Stream: text, Region: parsed.Region,
		}, nil
	}
	stream, consumer := parsed, ""
	if of, _, _, err := parsed.ConsumerOf(); err == nil {
		stream, consumer = of, text
	}
	name, err := stream.StreamName()
	if err != nil {
		return mapping.Source{}, fault.New(fault.Invalid, "The event source %s is not supported by this version of Weir.", text)
	}
	return mapping.Source{
		Source: &readers.Kinesis{Streams: s.node.streams, Control: s.node.control, Account: parsed.Account, Region: parsed.Region, Name: name, Consumer: consumer},
		Kind:   mapping.Kinesis, Stream: stream.String(), Region: parsed.Region,
	}, nil
}

// mappedFunctions is functions as mappings want them.
type mappedFunctions struct{ functions *functions.Functions }

// Invoke is mapping.Invoker's.
func (f mappedFunctions) Invoke(ctx context.Context, r mapping.Request) (mapping.Result, error) {
	result, err := f.functions.Invoke(ctx, functions.Request{Function: r.Function, Payload: r.Payload, Source: r.Source})
	return mapping.Result{RequestID: result.RequestID, Version: result.Version, Payload: result.Payload, FunctionError: result.FunctionError}, err
}

// Role is mapping.Functions'.
func (f mappedFunctions) Role(functionARN string) (string, error) {
	_, v, err := f.functions.Resolve(functionARN)
	if err != nil {
		return "", err
	}
	return v.Config.Role, nil
}
