package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/http"

	"github.com/weir-stream/weir/internal/api/firehose"
	"github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/vfs"
)

// openDelivery makes the part that delivers records as objects, and gives its API. docs/format/delivery.md draws its logs.
func (n *Node) openDelivery(ctx context.Context, fs vfs.FS, now clock.Clock, auditLog *audit.Log) (*firehose.API, error) {
	if err := n.store.Create(ctx, beside.DeliveryLog, commitlog.Config{}); err != nil {
		return nil, err
	}
	log, err := n.store.Open(ctx, beside.DeliveryLog)
	if err != nil {
		return nil, err
	}
	var session [8]byte
	if _, err := rand.Read(session[:]); err != nil {
		return nil, fault.As(fault.Internal, err, "session id")
	}
	// Objects are reached as engines reach any S3; what is put so is no call of a customer's, and not in the audit log.
	local, err := s3.New(s3.Options{Store: n.objects, Clock: now, Logger: n.logger}).Local(n.logger)
	if err != nil {
		return nil, err
	}
	n.delivery, err = delivery.Open(ctx, delivery.Options{
		Store: n.store, Log: log, FS: fs, Dir: datadir.Delivery, Clock: now, Session: binary.BigEndian.Uint64(session[:]) | 1, TestClock: n.config.TestClock != "",
		Checkpoints: n.consumed, Sources: deliverySources{n}, Objects: deliveredObjects{local, n.config.DeliveryS3}, Random: rand.Reader, Logger: n.logger,
	})
	if err != nil {
		return nil, fault.Wrap(err, "delivery streams")
	}
	n.delivers.Store(n.delivery)
	n.metrics.registry.MustRegister(deliveryMetrics{n.delivery, now})
	return firehose.New(firehose.Options{Delivery: n.delivery, Clock: now, Audit: auditLog, Logger: n.logger}), nil
}

// deliveryOf is the delivery stream whose direct puts a log has, or nil, also while nobody knows yet.
func (n *Node) deliveryOf(id commitlog.ID) *delivery.Stream {
	number, is := delivery.IsLog(id)
	if engine := n.delivers.Load(); is && engine != nil {
		return engine.Catalog().Numbered(number)
	}
	return nil
}

// deliveryStatus is how each delivery stream stands.
func (n *Node) deliveryStatus() []console.DeliveryStreamStatus {
	all := []console.DeliveryStreamStatus{}
	for _, s := range n.delivery.Catalog().All() {
		now, stats := n.delivery.Standing(s.Number), n.delivery.Stats(s.Number)
		all = append(all, console.DeliveryStreamStatus{
			Account: s.Account, Region: s.Region, Name: s.Name, Type: s.Type(), Status: string(s.Status), Bucket: s.S3.Bucket,
			BufferedRecords: now.Records, BufferedBytes: now.Bytes, SizeBytes: int64(s.S3.SizeMiB) << 20, Oldest: now.Oldest, Due: now.Due, BehindMillis: now.Behind.Milliseconds(),
			ErrorCode: now.Code, Error: now.Reason, Tries: now.Tries, NextTry: now.Next,
			DeliveredObjects: stats.Delivered.Load(), DeliveredRecords: stats.DeliveredRecords.Load(), LostRecords: stats.LostRecords.Load(),
		})
	}
	return all
}

// deliveredObjects is the S3 that delivery streams deliver to: the one in this process, as the account that they are of, unless the configuration names another.
type deliveredObjects struct {
	server  http.Handler
	another blob.Options
}

// Client is delivery.Objects'.
func (o deliveredObjects) Client(account, region string) (*blob.Client, error) {
	if other := o.another; other.Endpoint != "" {
		if other.Region == "" {
			other.Region = region
		}
		return blob.New(other)
	}
	return blob.New(blob.Options{Embedded: o.server, Region: region, AccessKeyID: account})
}

// deliverySources finds the streams that delivery streams read.
type deliverySources struct{ node *Node }

// Source is delivery.Sources'.
func (s deliverySources) Source(text string) (readers.Source, error) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is not the ARN of a stream.", text)
	}
	name, err := parsed.StreamName()
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is not the ARN of a stream.", text)
	}
	return &readers.Kinesis{Streams: s.node.streams, Control: s.node.control, Account: parsed.Account, Region: parsed.Region, Name: name}, nil
}
