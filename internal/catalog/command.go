package catalog

import (
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/quota"
)

// Command is something that may be asked of the catalog. It says what is wanted, not what becomes of it. See commands.Set for what its name and fields promise.
type Command interface {
	// kind is the versioned name.
	kind() string
	// apply does to s, a private copy, what the command asks. It refuses with an error of a kind and leaves s alone then. It must depend on
	// nothing but its arguments.
	apply(s *State, at time.Time, position commitlog.Position) error
}

// Limits are the quotas that decide a command. They travel in it: asking the quota table in Apply would let another configuration, or
// another release, decide old commands differently and so change what exists.
type Limits struct {
	Shards            int `json:"shards"`            // open shards of provisioned streams, of an account in a region
	StreamsCreating   int `json:"streamsCreating"`   // of an account in a region
	StreamsOnDemand   int `json:"streamsOnDemand"`   // of an account in a region
	Tags              int `json:"tags"`              // of a stream
	RetentionHoursMin int `json:"retentionHoursMin"` // also what a new stream gets
	RetentionHoursMax int `json:"retentionHoursMax"`
	MaxRecordKiBMin   int `json:"maxRecordKiBMin"` // also what a new stream gets
	MaxRecordKiBMax   int `json:"maxRecordKiBMax"`
	OnDemandShards    int `json:"onDemandShards"` // what a new stream gets when it names no number
}

// Limited is a command with the quotas that decide it, from a table, if it is one that carries any.
func Limited(c Command, t *quota.Table) Command {
	if l, ok := c.(interface{ limited(*quota.Table) Command }); ok {
		return l.limited(t)
	}
	return c
}

func (c CreateStream) limited(t *quota.Table) Command {
	c.Limits, c.WarmMax = LimitsOf(t), limitOf(t, quota.WarmMiBps)
	return c
}

func (c IncreaseRetention) limited(t *quota.Table) Command   { c.Limits = LimitsOf(t); return c }
func (c DecreaseRetention) limited(t *quota.Table) Command   { c.Limits = LimitsOf(t); return c }
func (c AddTags) limited(t *quota.Table) Command             { c.Limits = LimitsOf(t); return c }
func (c UpdateMaxRecordSize) limited(t *quota.Table) Command { c.Limits = LimitsOf(t); return c }

// LimitsOf takes the limits of commands from a quota table.
func LimitsOf(t *quota.Table) Limits {
	get := func(name quota.Name) int { return limitOf(t, name) }
	return Limits{
		Shards:            get(quota.Shards),
		StreamsCreating:   get(quota.StreamsCreating),
		StreamsOnDemand:   get(quota.StreamsOnDemand),
		Tags:              get(quota.Tags),
		RetentionHoursMin: get(quota.RetentionHoursMin),
		RetentionHoursMax: get(quota.RetentionHoursMax),
		MaxRecordKiBMin:   get(quota.MaxRecordKiBMin),
		MaxRecordKiBMax:   get(quota.MaxRecordKiBMax),
		OnDemandShards:    get(quota.OnDemandShards),
	}
}

// limitOf is a limit as commands carry it.
func limitOf(t *quota.Table, name quota.Name) int { return int(min(t.Get(name), 1<<31-1)) }

// CreateStream asks for a new stream. It is CREATING until StreamReady.
type CreateStream struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
	Mode    Mode   `json:"mode"` // empty is PROVISIONED
	// ShardCount may be 0, which is Limits.OnDemandShards in either mode.
	ShardCount int `json:"shardCount"`
	// MaxRecordKiB may be 0, which is Limits.MaxRecordKiBMin.
	MaxRecordKiB int               `json:"maxRecordKiB"`
	Tags         map[string]string `json:"tags,omitempty"`
	// WarmMiBps may be 0, which is none. WarmMax is the quota that it is held to.
	WarmMiBps    int          `json:"warmMiBps,omitempty"`
	WarmMax      int          `json:"warmMax,omitempty"`
	Distribution Distribution `json:"distribution,omitempty"` // empty is USER_PARTITION_KEY
	Limits       Limits       `json:"limits"`
}

// StreamReady reports that the logs of a CREATING stream are there. Reporting twice is no error.
type StreamReady struct {
	Group uint64 `json:"group"`
}

// DeleteStream asks for a stream's end. It is DELETING until StreamGone. A stream that has consumers goes only WithConsumers.
type DeleteStream struct {
	Account       string `json:"account"`
	Region        string `json:"region"`
	Name          string `json:"name"`
	WithConsumers bool   `json:"withConsumers,omitempty"`
}

// StreamGone reports that nothing is left of a DELETING stream: its name is free. Reporting twice is no error.
type StreamGone struct {
	Group uint64 `json:"group"`
}

// IncreaseRetention asks for a longer retention, or the same.
type IncreaseRetention struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
	Hours   int    `json:"hours"`
	Limits  Limits `json:"limits"`
}

// DecreaseRetention asks for a shorter retention, or the same. What it lets expire is gone for good.
type DecreaseRetention struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
	Hours   int    `json:"hours"`
	Limits  Limits `json:"limits"`
}

// AddTags adds tags to a stream, or to one of its consumers, or replaces their values.
type AddTags struct {
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Name     string            `json:"name"`
	Consumer string            `json:"consumer,omitempty"` // by name; empty is the stream itself
	Tags     map[string]string `json:"tags"`
	Limits   Limits            `json:"limits"`
}

// RemoveTags takes tags from a stream, or from one of its consumers. A tag that is not there is no error.
type RemoveTags struct {
	Account  string   `json:"account"`
	Region   string   `json:"region"`
	Name     string   `json:"name"`
	Consumer string   `json:"consumer,omitempty"` // by name; empty is the stream itself
	Keys     []string `json:"keys"`
}

// UpdateMaxRecordSize changes how large a record may be.
type UpdateMaxRecordSize struct {
	Account      string `json:"account"`
	Region       string `json:"region"`
	Name         string `json:"name"`
	MaxRecordKiB int    `json:"maxRecordKiB"`
	Limits       Limits `json:"limits"`
}

// Tick says that time has passed: what is due by now happens.
type Tick struct{}

// SetTestClock moves the test clock, which never goes back.
type SetTestClock struct {
	Now time.Time `json:"now"`
}

func (CreateStream) kind() string        { return "CreateStream.2" }
func (StreamReady) kind() string         { return "StreamReady.1" }
func (DeleteStream) kind() string        { return "DeleteStream.2" }
func (StreamGone) kind() string          { return "StreamGone.1" }
func (IncreaseRetention) kind() string   { return "IncreaseRetention.1" }
func (DecreaseRetention) kind() string   { return "DecreaseRetention.1" }
func (AddTags) kind() string             { return "AddTags.2" }
func (RemoveTags) kind() string          { return "RemoveTags.2" }
func (UpdateMaxRecordSize) kind() string { return "UpdateMaxRecordSize.1" }
func (Tick) kind() string                { return "Tick.1" }
func (SetTestClock) kind() string        { return "SetTestClock.1" }

// known is every command that this version understands.
//
// The first versions of four commands had fewer fields: reading one is reading the second with those left out, which means what the first meant.
var known = commands.Set[Command]{
	"CreateStream.1":               commands.As[CreateStream, Command],
	"DeleteStream.1":               commands.As[DeleteStream, Command], // there were no consumers
	"AddTags.1":                    commands.As[AddTags, Command],
	"RemoveTags.1":                 commands.As[RemoveTags, Command],
	CreateStream{}.kind():          commands.As[CreateStream, Command],
	StreamReady{}.kind():           commands.As[StreamReady, Command],
	DeleteStream{}.kind():          commands.As[DeleteStream, Command],
	StreamGone{}.kind():            commands.As[StreamGone, Command],
	IncreaseRetention{}.kind():     commands.As[IncreaseRetention, Command],
	DecreaseRetention{}.kind():     commands.As[DecreaseRetention, Command],
	AddTags{}.kind():               commands.As[AddTags, Command],
	RemoveTags{}.kind():            commands.As[RemoveTags, Command],
	UpdateMaxRecordSize{}.kind():   commands.As[UpdateMaxRecordSize, Command],
	SplitShard{}.kind():            commands.As[SplitShard, Command],
	MergeShards{}.kind():           commands.As[MergeShards, Command],
	UpdateShardCount{}.kind():      commands.As[UpdateShardCount, Command],
	ScaleStream{}.kind():           commands.As[ScaleStream, Command],
	ShardsSealed{}.kind():          commands.As[ShardsSealed, Command],
	ShardsGone{}.kind():            commands.As[ShardsGone, Command],
	RegisterConsumer{}.kind():      commands.As[RegisterConsumer, Command],
	DeregisterConsumer{}.kind():    commands.As[DeregisterConsumer, Command],
	SetResourcePolicy{}.kind():     commands.As[SetResourcePolicy, Command],
	StartEncryption{}.kind():       commands.As[StartEncryption, Command],
	StopEncryption{}.kind():        commands.As[StopEncryption, Command],
	RewrapKeys{}.kind():            commands.As[RewrapKeys, Command],
	SetShardMetrics{}.kind():       commands.As[SetShardMetrics, Command],
	UpdateStreamMode{}.kind():      commands.As[UpdateStreamMode, Command],
	UpdateWarmThroughput{}.kind():  commands.As[UpdateWarmThroughput, Command],
	UpdateDistribution{}.kind():    commands.As[UpdateDistribution, Command],
	UpdateAccountSettings{}.kind(): commands.As[UpdateAccountSettings, Command],
	Tick{}.kind():                  commands.As[Tick, Command],
	SetTestClock{}.kind():          commands.As[SetTestClock, Command],
}

// EncodeCommand is the command as the log holds it.
func EncodeCommand(c Command) ([]byte, error) { return commands.Encode(c.kind(), c) }
