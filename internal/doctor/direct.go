package doctor

import (
	"fmt"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/delivery"
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

// cutDirect keeps the logs of direct puts, up to the moment: which of them belong to a delivery stream of then the server finds out.
func (x *Examination) cutDirect(logs map[commitlog.ID]disklog.CutLog) {
	for _, info := range x.image.Logs() {
		if _, is := delivery.IsLog(info.ID); is {
			logs[info.ID] = disklog.CutLog{At: -1, Claim: disklog.Claim{Retention: delivery.Retention, Optional: true}}
		}
	}
}
