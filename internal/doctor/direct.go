package doctor

import (
	"context"
	"fmt"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
)

// The logs of direct puts: each is of a delivery stream, which the fold of delivery streams knows.

// deliveries is which delivery streams exist, as far as that could be read, and whether all of them are known.
func (x *Examination) deliveries() (c *delivery.Catalog, whole bool) {
	look := x.foldOf(beside.DeliveryLog)
	if look == nil {
		return new(delivery.Catalog), true
	}
	return look.Fold.Machine.(*beside.DeliveryMachine).Now(), look.Whole
}

// deliveryOf is the delivery stream whose direct puts a log has, or nil.
func (x *Examination) deliveryOf(id commitlog.ID) *delivery.Stream {
	number, is := delivery.IsLog(id)
	if !is {
		return nil
	}
	c, _ := x.deliveries()
	return c.Numbered(number)
}

// called is a delivery stream in words.
func called(s *delivery.Stream) string {
	return fmt.Sprintf("delivery stream %s (account %s, %s)", s.Name, s.Account, s.Region)
}

// compareDirect holds the delivery streams against their logs.
func (x *Examination) compareDirect() {
	c, whole := x.deliveries()
	if !whole {
		return
	}
	for _, info := range x.image.Logs() {
		if _, is := delivery.IsLog(info.ID); is && x.deliveryOf(info.ID) == nil {
			x.say(Finding{Kind: disklog.LogNoStream, Log: info.ID.String(), Text: fmt.Sprintf("log %s belongs to no delivery stream: nobody reads its positions %d to %d", info.ID, info.Bounds.First, info.Bounds.Next)}, true)
		}
	}
	for _, s := range c.All() {
		if s.Status != delivery.Active || s.Source.Kinesis != nil {
			continue
		}
		if _, err := x.image.Log(delivery.LogID(s.Number)); err != nil {
			x.say(Finding{Kind: disklog.StreamNoLog, Account: s.Account, Region: s.Region, Log: delivery.LogID(s.Number).String(), Text: called(s) + ": the log of its direct puts is missing"}, false)
		}
	}
}

// directClaims says what is known of the logs of direct puts.
func (x *Examination) directClaims(claims map[commitlog.ID]disklog.Claim) {
	c, whole := x.deliveries()
	if !whole { // one that a lost command made may have a log
		for _, info := range x.image.Logs() {
			if _, is := delivery.IsLog(info.ID); is {
				claims[info.ID] = disklog.Claim{Retention: delivery.Retention, Optional: true}
			}
		}
	}
	for _, s := range c.All() {
		if s.Source.Kinesis == nil {
			claims[delivery.LogID(s.Number)] = disklog.Claim{Retention: delivery.Retention, Optional: s.Status != delivery.Active}
		}
	}
}

// cutDirect adds the logs of the delivery streams that there were at a moment, and gives those. NotFound names one that was deleted since, with what it had not delivered.
func (x *Examination) cutDirect(ctx context.Context, millis int64, logs map[commitlog.ID]disklog.CutLog) (*delivery.Catalog, error) {
	c, err := x.deliveriesAt(ctx, millis)
	if err != nil {
		return nil, err
	}
	for _, s := range c.All() {
		if s.Source.Kinesis != nil {
			continue
		}
		optional := s.Status != delivery.Active
		if _, err := x.image.Log(delivery.LogID(s.Number)); err != nil && !optional {
			return nil, fault.New(fault.NotFound, "%s was deleted between that moment and the backup, and what it had not delivered with it; an earlier backup may have it", called(s))
		}
		logs[delivery.LogID(s.Number)] = disklog.CutLog{At: -1, Claim: disklog.Claim{Retention: delivery.Retention, Optional: optional}}
	}
	return c, nil
}

// deliveriesAt is which delivery streams there were at a moment.
func (x *Examination) deliveriesAt(ctx context.Context, millis int64) (*delivery.Catalog, error) {
	log, err := x.image.Log(beside.DeliveryLog)
	if fault.Is(err, fault.NotFound) {
		return new(delivery.Catalog), nil
	}
	if err != nil {
		return nil, err
	}
	bounds, end, err := endAt(ctx, log, millis)
	if err != nil {
		return nil, err
	}
	files, err := fold.Snapshots(x.options.FS, datadir.Delivery, datadir.DeliveryName)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	m := delivery.Machine()
	replay := fold.NewReplay(datadir.DeliveryName, m)
	for _, file := range files { // the oldest first: the newest that is not too new counts
		if file.Err != nil || file.Next > end {
			continue
		}
		if replay, err = fold.Restore(x.options.FS, datadir.Delivery, file.Name, datadir.DeliveryName, m); err != nil {
			return nil, err
		}
	}
	if replay.Next() < bounds.First {
		return nil, fault.New(fault.Trimmed, "the commands of delivery streams that are left begin later")
	}
	for at := replay.Next(); at < end; {
		chunk, err := log.Read(ctx, at, 1<<20)
		if err != nil {
			return nil, err
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		for it.Next(&r) {
			if r.Position < at || r.Position >= end {
				continue
			}
			if err := replay.Apply(r.Position, r.Timestamp, r.Value); err != nil {
				return nil, fault.Wrap(err, "log of delivery streams at %d", r.Position)
			}
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
		if chunk.Next == at {
			break
		}
		at = chunk.Next
	}
	return m.Now(), nil
}
