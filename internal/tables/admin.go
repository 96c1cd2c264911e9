package tables

import (
	"maps"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// Limits of tables (ServiceQuotas, read 2026-11).
const (
	tablesMax = 2500 // in an account and region
	tagsMax   = 50
	// decreasesPerDay is how often throughput may be lowered in a UTC day without waiting (ServiceQuotas: 4 at once and one an hour, 27 in all).
	decreasesPerDay = 27
)

// admin does a command that is JSON.
func (c *change) admin(kind byte, body []byte) error {
	switch kind {
	case commandCreate:
		return run(body, c.create)
	case commandUpdate:
		return run(body, c.update)
	case commandDelete:
		return run(body, c.delete)
	case commandTTL:
		return run(body, c.setTTL)
	case commandTags:
		return run(body, c.setTags)
	case commandSettle:
		return run(body, c.settle)
	case commandTick:
		return c.tick()
	}
	return fault.New(fault.Unsupported, "a command of kind %d: this version of Weir does not know it", kind)
}

func run[C any](body []byte, do func(C) error) error {
	cmd, err := decodeAdmin[C](body)
	if err != nil {
		return err
	}
	return do(cmd)
}

func (c *change) create(cmd CreateTable) error {
	if c.state.Tables[cmd.Name] != nil {
		return refuse(fault.Exists, "Table already exists: %s", cmd.Name)
	}
	if len(c.state.Tables) >= tablesMax {
		return refuse(fault.LimitExceeded, "Subscriber limit exceeded: There is a limit of %d tables per subscriber", tablesMax)
	}
	t := &Table{
		ID: uint64(c.position) + 1, Name: cmd.Name, Status: Creating, Created: c.at, Key: cmd.Key, Attributes: cmd.Attributes, OnDemand: cmd.OnDemand,
		Units: Units{Read: cmd.Read, Write: cmd.Write}, MaxRead: cmd.MaxRead, MaxWrite: cmd.MaxWrite, Class: cmd.Class, Protected: cmd.Protected,
		Tags: cmd.Tags, stats: new(Stats),
	}
	if cmd.OnDemand {
		t.OnDemandAt = c.at
	}
	for _, n := range cmd.Indexes {
		t.addIndex(n, Active) // an empty table has nothing to index
	}
	c.state = c.state.with(t)
	if cmd.View != "" {
		c.openStream(t, cmd.View)
	}
	return nil
}

func (t *Table) addIndex(n NewIndex, status Status) {
	t.IndexesMade++
	t.Indexes = append(t.Indexes, &Index{
		ID: t.IndexesMade, Name: n.Name, Key: n.Key, Projection: n.Projection, Include: n.Include, Status: status,
		Units: Units{Read: n.Read, Write: n.Write}, MaxRead: n.MaxRead, MaxWrite: n.MaxWrite, stats: new(Stats),
	})
}

// openStream gives a table, which is a copy that is not shared yet, a change stream.
func (c *change) openStream(t *Table, view string) {
	created := c.at
	for _, s := range c.state.Streams { // a label is a time, and names one stream
		if s.Table == t.Name && !s.Created.Before(created) {
			created = s.Created.Add(time.Millisecond)
		}
	}
	stream := &Stream{ID: uint64(c.position) + 1, TableID: t.ID, Table: t.Name, Key: t.Key, View: view, Created: created}
	t.View, t.Stream, t.StreamLabel = view, stream.ID, stream.Label()
	c.state = c.state.with(t).withStream(stream)
}

// active is a copy of a table that may be changed now.
func (c *change) active(name string) (*Table, error) {
	t := c.state.Tables[name]
	switch {
	case t == nil:
		return nil, errMissing(name)
	case t.Status != Active:
		return nil, refuse(fault.Exists, "Attempt to change a resource which is still in use: Table is being %s: %s", doing(t.Status), name)
	}
	return t.clone(), nil
}

// doing is a status as the texts about resources in use have it.
func doing(s Status) string {
	switch s {
	case Creating:
		return "created"
	case Deleting:
		return "deleted"
	}
	return "updated"
}

func (c *change) update(cmd UpdateTable) error {
	t, err := c.active(cmd.Name)
	if err != nil {
		return err
	}
	if err := c.updateUnits(t, cmd); err != nil {
		return err
	}
	if cmd.Class != nil {
		t.Class = *cmd.Class
	}
	if cmd.Protected != nil {
		t.Protected = *cmd.Protected
	}
	if len(cmd.Attributes) > 0 {
		t.Attributes = cmd.Attributes
	}
	if err := t.updateIndexes(cmd); err != nil {
		return err
	}
	t.Status = Updating
	c.state = c.state.with(t)
	if cmd.View == nil {
		return nil
	}
	return c.updateStream(t, *cmd.View)
}

func (c *change) updateStream(t *Table, view string) error {
	switch {
	case view != "" && t.View != "":
		return refuse(fault.Invalid, "Table already has an enabled stream: TableName: %s", t.Name)
	case view == "" && t.View == "":
		return refuse(fault.Invalid, "Table has no stream to disable: TableName: %s", t.Name)
	case view == "":
		c.closeStream(t)
		c.state = c.state.with(t)
	default:
		c.openStream(t, view)
	}
	return nil
}

func (c *change) updateUnits(t *Table, cmd UpdateTable) error {
	if cmd.OnDemand != nil && *cmd.OnDemand != t.OnDemand {
		t.OnDemand = *cmd.OnDemand
		if t.OnDemand {
			t.OnDemandAt = c.at
			t.Units.Read, t.Units.Write = 0, 0
			for i := range t.Indexes {
				ix := t.indexAt(i)
				ix.Units.Read, ix.Units.Write = 0, 0
			}
		}
	}
	if cmd.MaxRead != nil {
		t.MaxRead = *cmd.MaxRead
	}
	if cmd.MaxWrite != nil {
		t.MaxWrite = *cmd.MaxWrite
	}
	if cmd.Read == nil || cmd.Write == nil {
		return nil
	}
	lower := *cmd.Read < t.Units.Read || *cmd.Write < t.Units.Write
	if *cmd.Read > t.Units.Read || *cmd.Write > t.Units.Write {
		t.Units.Increased = c.at
	}
	if lower {
		if !t.Units.Decreased.IsZero() && t.Units.Decreased.YearDay() == c.at.YearDay() && t.Units.Decreased.Year() == c.at.Year() {
			if t.Units.DecreasesToday >= decreasesPerDay {
				return refuse(fault.LimitExceeded, "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "+
					"The number of decreases today: %d. After the first 4 decreases, each subsequent decrease in the same UTC day can be performed at most once every 3600 seconds.", t.Units.DecreasesToday)
			}
		} else {
			t.Units.DecreasesToday = 0
		}
		t.Units.DecreasesToday++
		t.Units.Decreased = c.at
	}
	t.Units.Read, t.Units.Write = *cmd.Read, *cmd.Write
	return nil
}

func (t *Table) updateIndexes(cmd UpdateTable) error {
	if n := cmd.CreateIndex; n != nil {
		if t.Index(n.Name) != nil {
			return refuse(fault.Invalid, "Attempting to create an index which already exists")
		}
		if len(t.Indexes) >= IndexesMax {
			return refuse(fault.LimitExceeded, "Subscriber limit exceeded: There is a limit of %d global secondary indexes per table", IndexesMax)
		}
		t.addIndex(*n, Creating)
	}
	if cmd.DeleteIndex != "" {
		i := slices.IndexFunc(t.Indexes, func(ix *Index) bool { return ix.Name == cmd.DeleteIndex })
		if i < 0 {
			return refuse(fault.NotFound, "Requested resource not found")
		}
		t.indexAt(i).Status = Deleting
	}
	for _, name := range slices.Sorted(maps.Keys(cmd.Indexes)) {
		i := slices.IndexFunc(t.Indexes, func(ix *Index) bool { return ix.Name == name })
		if i < 0 {
			return refuse(fault.NotFound, "Requested resource not found")
		}
		ix, u := t.indexAt(i), cmd.Indexes[name]
		for _, set := range []struct {
			to   *int64
			from *int64
		}{{&ix.Units.Read, u.Read}, {&ix.Units.Write, u.Write}, {&ix.MaxRead, u.MaxRead}, {&ix.MaxWrite, u.MaxWrite}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		ix.Status = Updating
	}
	return nil
}

func (c *change) delete(cmd DeleteTable) error {
	t := c.state.Tables[cmd.Name]
	switch {
	case t == nil:
		return errMissing(cmd.Name)
	case t.Status == Creating || t.Status == Updating:
		return refuse(fault.Exists, "Attempt to change a resource which is still in use: Table is being %s: %s", doing(t.Status), cmd.Name)
	case t.Status == Deleting:
		return nil
	case t.Protected:
		return refuse(fault.Invalid, "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	t = t.clone()
	t.Status = Deleting
	c.state = c.state.with(t)
	return nil
}

func (c *change) setTTL(cmd UpdateTTL) error {
	t, err := c.active(cmd.Name)
	if err != nil {
		return err
	}
	on := t.TTL.Status == Enabling || t.TTL.Status == Enabled
	switch {
	case t.TTL.Status == Enabling || t.TTL.Status == Disabling:
		return refuse(fault.Invalid, "Time to live has been modified multiple times within a fixed interval")
	case cmd.Enabled && on:
		return refuse(fault.Invalid, "TimeToLive is already enabled")
	case !cmd.Enabled && !on:
		return refuse(fault.Invalid, "TimeToLive is already disabled")
	case !cmd.Enabled && cmd.Attribute != t.TTL.Attribute:
		return refuse(fault.Invalid, "TimeToLive is active on a different AttributeName: current AttributeName is %s", t.TTL.Attribute)
	case cmd.Enabled:
		t.TTL = TTL{Attribute: cmd.Attribute, Status: Enabling, Changed: c.at}
	default:
		t.TTL.Status, t.TTL.Changed = Disabling, c.at
	}
	c.state = c.state.with(t)
	return nil
}

func (c *change) setTags(cmd ChangeTags) error {
	t := c.state.Tables[cmd.Name]
	if t == nil {
		return errMissing(cmd.Name)
	}
	t = t.clone()
	if t.Tags == nil {
		t.Tags = map[string]string{}
	}
	maps.Copy(t.Tags, cmd.Add)
	for _, key := range cmd.Remove {
		delete(t.Tags, key)
	}
	if len(t.Tags) > tagsMax {
		return refuse(fault.Invalid, "One or more parameter values were invalid: Too many tags: a table has at most %d", tagsMax)
	}
	c.state = c.state.with(t)
	return nil
}
