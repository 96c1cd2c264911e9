package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/record"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 250_000_000, time.UTC)

const account, region = "000000000000", "us-east-1"

var limits = LimitsOf(quota.Default())

// history is a state under test with the log it came from.
type history struct {
	state    *State
	at       time.Time
	position commitlog.Position
}

func begin() *history { return &history{state: Empty(), at: start} }

// do applies a command after some time and gives its refusal.
func (h *history) do(t testing.TB, after time.Duration, c Command) error {
	t.Helper()
	h.at = h.at.Add(after)
	b, err := EncodeCommand(c)
	if err != nil {
		t.Fatal(err)
	}
	next, result, err := Apply(h.state, h.at, h.position, b)
	if err != nil {
		t.Fatal(err)
	}
	h.position++
	refusal := commands.DecodeResult(result, nil)
	if refusal != nil && next != h.state {
		t.Fatalf("%T was refused and changed something: %v", c, refusal)
	}
	h.state = next
	return refusal
}

func (h *history) must(t testing.TB, after time.Duration, commands ...Command) {
	t.Helper()
	for _, c := range commands {
		if err := h.do(t, after, c); err != nil {
			t.Fatalf("%T: %v", c, err)
		}
	}
}

func create(name string, shards int) CreateStream {
	return CreateStream{Account: account, Region: region, Name: name, ShardCount: shards, Limits: limits}
}

func (h *history) stream(name string) *Stream { return h.state.Stream(account, region, name) }

// A stream's life: what a new one is made of, who finds it how, and that its name comes back with other ids.
func TestLifeOfAStream(t *testing.T) {
	h := begin()
	c := create("s", 3)
	c.Tags = map[string]string{"team": "tolls"}
	h.must(t, 0, c)
	s := h.stream("s")
	if s.Status != Creating || s.Mode != Provisioned || s.Group != 1 || !s.Created.Equal(start) || s.RetentionHours != 24 || s.MaxRecordKiB != 1024 {
		t.Errorf("%+v", s)
	}
	if s.ARN != "arn:aws:kinesis:us-east-1:000000000000:stream/s" || s.Tags["team"] != "tolls" || !s.HorizonFloor.IsZero() {
		t.Errorf("%+v", s)
	}
	if len(s.ID) != 24 || s.ID[20] != '-' || strings.Trim(s.ID[:20]+s.ID[21:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("stream id %q", s.ID)
	}
	var ranges []record.HashRange
	for i, shard := range s.Shards {
		ranges = append(ranges, shard.Range)
		if shard.Number != uint32(i) || shard.Status != Open || !shard.Created.Equal(start.Truncate(time.Second)) || s.Shard(uint32(i)) != &s.Shards[i] {
			t.Errorf("shard %d: %+v", i, shard)
		}
	}
	if !record.Covers(ranges) || s.Shard(3) != nil {
		t.Errorf("ranges %v", ranges)
	}
	for by, found := range map[string]*Stream{
		"arn": h.state.StreamByARN(s.ARN), "id": h.state.StreamByID(s.ID), "group": h.state.StreamByGroup(1),
	} {
		if found != s {
			t.Errorf("not found by %s", by)
		}
	}
	for _, arn := range []string{"", "arn", s.ARN + "x", strings.Replace(s.ARN, "aws", "aws-cn", 1), strings.Replace(s.ARN, "kinesis", "firehose", 1)} {
		if h.state.StreamByARN(arn) != nil {
			t.Errorf("found by %q", arn)
		}
	}

	before := h.state
	h.must(t, time.Second, StreamReady{1}, StreamReady{1})
	if h.stream("s").Status != Active || before.Stream(account, region, "s").Status != Creating {
		t.Error("ready: status")
	}
	h.must(t, time.Second, DeleteStream{Account: account, Region: region, Name: "s"})
	if h.stream("s").Status != Deleting {
		t.Error("delete: status")
	}
	h.must(t, time.Second, StreamGone{1}, StreamGone{1})
	if h.stream("s") != nil || h.state.StreamByGroup(1) != nil || h.state.StreamByID(s.ID) != nil || h.state.Len() != 0 {
		t.Error("gone: still found")
	}
	h.must(t, 0, create("s", 3))
	if again := h.stream("s"); again.Group != 2 || again.ID == s.ID {
		t.Errorf("the second incarnation: group %d, id %s", again.Group, again.ID)
	}
}

// Each row is a stream in some state, a command, and the refusal in AWS's words.
func TestRefusals(t *testing.T) {
	address := func(name string) (string, string, string) { return account, region, name }
	increase := func(name string, hours int) Command {
		a, r, n := address(name)
		return IncreaseRetention{a, r, n, hours, limits}
	}
	decrease := func(name string, hours int) Command {
		a, r, n := address(name)
		return DecreaseRetention{a, r, n, hours, limits}
	}
	manyTags := map[string]string{}
	for i := range 50 {
		manyTags[fmt.Sprint(i)] = "x"
	}
	onDemand := create("new", 0)
	onDemand.Mode = OnDemand
	onDemand.Limits.StreamsOnDemand = 1
	odd := create("new", 1)
	odd.Mode = "ODD"
	large := create("new", 1)
	large.MaxRecordKiB = 10241
	tagged := create("new", 1)
	tagged.Tags = map[string]string{"51": "x"}
	for k, v := range manyTags {
		tagged.Tags[k] = v
	}
	wide := create("new", 9)
	wide.Limits.Shards = 10

	for _, row := range []struct {
		name    string
		command Command
		kind    fault.Kind
		message string
	}{
		{"exists", create("active", 1), fault.Exists, "Stream active under account 000000000000 already exists."},
		{"exists, being deleted", create("deleting", 1), fault.Exists, "Stream deleting under account 000000000000 already exists."},
		{"shard quota", wide, fault.LimitExceeded, "This request would exceed the shard limit for the account 000000000000 in us-east-1. " +
			"Current shard count for the account: 4. Limit: 10. Number of additional shards that would have resulted from this request: 9. " +
			"Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits."},
		{"on-demand quota", onDemand, fault.LimitExceeded, "This request would exceed the limit on the number of streams in On-Demand mode for the account 000000000000 in us-east-1. Current stream count for the account: 1. Limit: 1."},
		{"mode", odd, fault.Invalid, `stream mode "ODD" is neither PROVISIONED nor ON_DEMAND`},
		{"negative shards", create("new", -1), fault.Invalid, "ShardCount must be between 1 and 100000. Requested shard count was -1."},
		{"record size of a new stream", large, fault.Invalid, "MaxRecordSizeInKiB must be between 1024 and 10240. Requested value was 10241."},
		{"tags of a new stream", tagged, fault.Invalid, "Failed to add tags to stream new under account 000000000000 because a given stream cannot have more than 50 tags associated with it."},

		{"delete what is not there", DeleteStream{Account: account, Region: region, Name: "none"}, fault.NotFound, "Stream none under account 000000000000 not found."},
		{"delete in another region", DeleteStream{Account: account, Region: "eu-west-1", Name: "active"}, fault.NotFound, "Stream active under account 000000000000 not found."},
		{"delete in another account", DeleteStream{Account: "123456789012", Region: region, Name: "active"}, fault.NotFound, "Stream active under account 123456789012 not found."},
		{"delete while creating", DeleteStream{Account: account, Region: region, Name: "creating"}, fault.WrongState, "Stream creating under account 000000000000 not ACTIVE, instead in state CREATING"},
		{"delete twice", DeleteStream{Account: account, Region: region, Name: "deleting"}, fault.WrongState, "Stream deleting under account 000000000000 not ACTIVE, instead in state DELETING"},
		{"delete while updating", DeleteStream{Account: account, Region: region, Name: "updating"}, fault.WrongState, "Stream updating under account 000000000000 not ACTIVE, instead in state UPDATING"},

		{"increase of nothing", increase("none", 48), fault.NotFound, "Stream none under account 000000000000 not found."},
		{"increase while updating", increase("updating", 48), fault.WrongState, "Stream updating under account 000000000000 not ACTIVE, instead in state UPDATING"},
		{"increase below the least", increase("active", 23), fault.Invalid, "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short."},
		{"increase beyond the most", increase("active", 8761), fault.Invalid, "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long."},
		{"increase to less", increase("active", 47), fault.Invalid, "Requested retention period (47 hours) for stream active can not be shorter than existing retention period (48 hours). Use DecreaseRetentionPeriod API."},
		{"decrease below the least", decrease("active", 23), fault.Invalid, "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short."},
		{"decrease to more", decrease("active", 49), fault.Invalid, "Requested retention period (49 hours) for stream active can not be longer than existing retention period (48 hours). Use IncreaseRetentionPeriod API."},
		{"decrease while creating", decrease("creating", 24), fault.WrongState, "Stream creating under account 000000000000 not ACTIVE, instead in state CREATING"},

		{"one tag too many", AddTags{Account: account, Region: region, Name: "active", Limits: limits, Tags: manyTags}, fault.Invalid, "Failed to add tags to stream active under account 000000000000 because a given stream cannot have more than 50 tags associated with it."},
		{"tags of nothing", RemoveTags{Account: account, Region: region, Name: "none", Keys: []string{"x"}}, fault.NotFound, "Stream none under account 000000000000 not found."},
		{"record size too small", UpdateMaxRecordSize{account, region, "active", 1023, limits}, fault.Invalid, "MaxRecordSizeInKiB must be between 1024 and 10240. Requested value was 1023."},
		{"record size too large", UpdateMaxRecordSize{account, region, "active", 10241, limits}, fault.Invalid, "MaxRecordSizeInKiB must be between 1024 and 10240. Requested value was 10241."},

		{"ready that never was", StreamReady{99}, fault.NotFound, "no stream has the log group 99"},
		{"ready while deleting", StreamReady{3}, fault.WrongState, "Stream deleting under account 000000000000 not CREATING, instead in state DELETING"},
		{"gone that never was", StreamGone{99}, fault.NotFound, "no stream has had the log group 99"},
		{"gone while active", StreamGone{1}, fault.WrongState, "Stream active under account 000000000000 not DELETING, instead in state ACTIVE"},
		{"test clock goes back", SetTestClock{start.Add(-time.Hour)}, fault.Invalid, "the test clock stands at 2026-11-18T13:00:00.25Z and does not go back to 2026-11-18T12:00:00.25Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := begin()
			h.must(t, 0, create("active", 1), StreamReady{1}, increase("active", 48), AddTags{Account: account, Region: region, Name: "active", Limits: limits, Tags: map[string]string{"one": "more"}})
			h.must(t, 0, create("creating", 1), create("deleting", 1), StreamReady{3}, DeleteStream{Account: account, Region: region, Name: "deleting"})
			h.must(t, 0, create("updating", 1), StreamReady{4}, SetTestClock{start})
			demand := create("demand", 0)
			demand.Mode = OnDemand
			h.must(t, 0, demand, StreamReady{5})
			updating := *h.stream("updating") // resharding is what leads there
			updating.Status = Updating
			changed := *h.state
			changed.with(h.stream("updating"), &updating)
			h.state = &changed

			err := h.do(t, time.Second, row.command)
			if !fault.Is(err, row.kind) || err.Error() != row.message {
				t.Errorf("%v: %v\nwant %v: %s", fault.KindOf(err), err, row.kind, row.message)
			}
		})
	}
}

// Five streams may be CREATING at once; one that becomes ACTIVE makes room.
func TestCreatingLimit(t *testing.T) {
	h := begin()
	for i := range 5 {
		h.must(t, 0, create(fmt.Sprint(i), 1))
	}
	const want = "This request would have exceed the limit on the number of streams that can simultaneously be in CREATING or DELETING for the account 000000000000. Limit: 5."
	if err := h.do(t, 0, create("5", 1)); !fault.Is(err, fault.LimitExceeded) || err.Error() != want {
		t.Errorf("the sixth: %v", err)
	}
	elsewhere := create("5", 1)
	elsewhere.Region = "eu-west-1"
	h.must(t, 0, elsewhere, StreamReady{3}, create("5", 1))
}

// On-demand streams begin with four shards, which the shard quota does not count. Without a number a provisioned one has four, too.
func TestShardsOfNewStreams(t *testing.T) {
	h := begin()
	c := create("demand", 0)
	c.Mode = OnDemand
	h.must(t, 0, c, create("four", 0), create("one", 1))
	if n := len(h.stream("demand").Shards); n != 4 {
		t.Errorf("on-demand stream with %d shards", n)
	}
	if u := h.state.Usage(account, region); u != (Usage{Streams: 3, Creating: 3, OnDemand: 1, Shards: 5, AllShards: 9}) {
		t.Errorf("usage %+v", u)
	}
}

// The same value again changes nothing, and says nothing.
func TestEqualValuesChangeNothing(t *testing.T) {
	h := begin()
	h.must(t, 0, create("s", 1), StreamReady{1}, AddTags{Account: account, Region: region, Name: "s", Limits: limits, Tags: map[string]string{"a": "b"}})
	before := h.state
	h.must(t, time.Hour,
		IncreaseRetention{account, region, "s", 24, limits},
		DecreaseRetention{account, region, "s", 24, limits},
		AddTags{Account: account, Region: region, Name: "s", Limits: limits, Tags: map[string]string{"a": "b"}},
		RemoveTags{Account: account, Region: region, Name: "s", Keys: []string{"none"}},
		UpdateMaxRecordSize{account, region, "s", 1024, limits},
		StreamReady{1},
		Tick{},
	)
	if h.state != before {
		t.Error("another state")
	}
}

// Tags are added, replaced and removed, and no earlier state notices.
func TestTags(t *testing.T) {
	h := begin()
	h.must(t, 0, create("s", 1), StreamReady{1}, AddTags{Account: account, Region: region, Name: "s", Limits: limits, Tags: map[string]string{"a": "1", "b": "2"}})
	before := h.stream("s")
	h.must(t, 0, AddTags{Account: account, Region: region, Name: "s", Limits: limits, Tags: map[string]string{"b": "3", "c": ""}}, RemoveTags{Account: account, Region: region, Name: "s", Keys: []string{"a", "x"}})
	if got := fmt.Sprint(h.stream("s").Tags); got != "map[b:3 c:]" {
		t.Errorf("tags %s", got)
	}
	if got := fmt.Sprint(before.Tags); got != "map[a:1 b:2]" {
		t.Errorf("earlier tags %s", got)
	}
}

// Each row is a request that makes no sense whatever exists.
func TestCheck(t *testing.T) {
	const characters = "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ :."
	tag := func(key, value string) Command {
		return AddTags{Tags: map[string]string{key: value, "good": "tag"}}
	}
	for _, row := range []struct {
		name    string
		command Command
		message string // none: nothing is wrong
	}{
		{"a tag", tag("Kostenstelle _./=+-%@:", "größe 10 ٣"), ""},
		{"the longest", tag(strings.Repeat("é", 128), strings.Repeat("é", 256)), ""},
		{"no key", tag("", "x"), "Tag keys must have between 1 and 128 characters."},
		{"long key", tag(strings.Repeat("é", 129), "x"), "Tag keys must have between 1 and 128 characters."},
		{"long value", tag("x", strings.Repeat("é", 257)), "Tag values must have at most 256 characters."},
		{"AWS's own", tag("aws:x", "x"), "aws: prefixed tag key names are not allowed for external use."},
		{"AWS's own, shouted", tag("AWS:x", "x"), "aws: prefixed tag key names are not allowed for external use."},
		{"aws in front", tag("awsx", "x"), ""},
		{"character in key", tag("a*b", "x"), characters},
		{"character in value", tag("a", "x\x00"), characters},
		{"no UTF-8", tag("a", "\xff"), characters},
		{"removing AWS's own", RemoveTags{Keys: []string{"a", "aws:x"}}, "aws: prefixed tag key names are not allowed for external use."},
		{"tag of a new stream", CreateStream{Account: account, Region: region, Name: "s", Tags: map[string]string{"*": ""}}, characters},
		{"name", CreateStream{Account: account, Region: region, Name: "s/t"}, `No stream can be named "s/t" under account "000000000000" in region "us-east-1".`},
		{"account", CreateStream{Account: "me", Region: region, Name: "s"}, `No stream can be named "s" under account "me" in region "us-east-1".`},
		{"region", CreateStream{Account: account, Region: "", Name: "s"}, `No stream can be named "s" under account "000000000000" in region "".`},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := Check(row.command)
			if row.message == "" && err == nil {
				return
			}
			if !fault.Is(err, fault.Invalid) || err.Error() != row.message {
				t.Errorf("%v, want %q", err, row.message)
			}
		})
	}
}

// Lists are in the order of names, per account and region, and begin behind a name.
func TestListing(t *testing.T) {
	h := begin()
	many := limits
	many.StreamsCreating = 100
	for _, a := range []string{account, "123456789012"} {
		for _, r := range []string{"us-east-1", "us-east-10", "eu-west-1"} {
			for _, n := range []string{"b", "a", "a-", "a.b", "B"} {
				h.must(t, 0, CreateStream{Account: a, Region: r, Name: n, ShardCount: 1, Limits: many})
			}
		}
	}
	names := func(after string) (got []string) {
		for s := range h.state.Streams(account, region, after) {
			if s.Account != account || s.Region != region {
				t.Errorf("%s is listed", s.ARN)
			}
			got = append(got, s.Name)
		}
		return got
	}
	for after, want := range map[string][]string{
		"": {"B", "a", "a-", "a.b", "b"}, "a": {"a-", "a.b", "b"}, "aa": {"b"}, "b": nil, "0": {"B", "a", "a-", "a.b", "b"},
	} {
		if got := names(after); !slices.Equal(got, want) {
			t.Errorf("after %q: %v, want %v", after, got, want)
		}
	}
	version := h.state.Version()
	h.must(t, 0, StreamReady{7}, StreamReady{3}, create("z", 1))
	var changed []uint64
	for s := range h.state.Since(version) {
		changed = append(changed, s.Group)
	}
	if !slices.Equal(changed, []uint64{7, 3, 31}) {
		t.Errorf("changed since: %v", changed)
	}
}

// Whatever happens to the retention, a record that has expired never comes back, the horizon never goes back, and without changes a record
// lives for the whole retention. A reader's clock may be an hour behind the log's.
func TestExpiredStaysExpired(t *testing.T) {
	r := random(t)
	for range 300 {
		h := begin()
		h.must(t, 0, create("s", 1), StreamReady{1})
		horizon := h.stream("s").Horizon(h.at)
		for range 30 {
			step := time.Duration(r.Int64N(int64(100 * time.Hour)))
			hours := 24 + r.IntN(200)
			switch r.IntN(4) {
			case 0:
				h.do(t, step, IncreaseRetention{account, region, "s", hours, limits})
			case 1:
				h.do(t, step, DecreaseRetention{account, region, "s", hours, limits})
			case 2:
				h.must(t, step, Tick{})
			default:
				h.at = h.at.Add(step)
			}
			h.at = h.at.Truncate(time.Millisecond)
			s := h.stream("s")
			now := s.Horizon(h.at)
			if now.Before(horizon) {
				t.Fatalf("the horizon went back from %v to %v", horizon, now)
			}
			horizon = now
			if behind := s.Horizon(h.at.Add(-floorSlack)); !s.HorizonFloor.IsZero() && behind.Before(s.HorizonFloor) {
				t.Fatalf("a reader that is behind sees %v, before the floor %v", behind, s.HorizonFloor)
			}
			if oldest := h.at.Add(-s.Retention()); horizon.Before(oldest) || s.HorizonFloor.IsZero() && !horizon.Equal(oldest) {
				t.Fatalf("horizon %v, retention reaches back to %v, floor %v", horizon, oldest, s.HorizonFloor)
			}
		}
	}
}

// The floor that each change of retention sets, and when time makes it superfluous.
func TestHorizonFloor(t *testing.T) {
	h := begin()
	h.must(t, 0, create("s", 1), StreamReady{1})
	if _, some := h.state.NextDeadline(); some {
		t.Error("a deadline without a floor")
	}
	h.must(t, 100*time.Hour, IncreaseRetention{account, region, "s", 48, limits})
	raised := h.at
	if got, want := h.stream("s").HorizonFloor, raised.Add(-24*time.Hour); !got.Equal(want) {
		t.Errorf("floor after an increase %v, want %v", got, want)
	}
	h.must(t, time.Hour, IncreaseRetention{account, region, "s", 72, limits})
	if got, want := h.stream("s").HorizonFloor, raised.Add(-24*time.Hour); !got.Equal(want) {
		t.Errorf("floor after another %v, want the older one's %v", got, want)
	}
	h.must(t, time.Hour, DecreaseRetention{account, region, "s", 24, limits})
	if got, want := h.stream("s").HorizonFloor, h.at.Add(-24*time.Hour); !got.Equal(want) {
		t.Errorf("floor after a decrease %v, want %v", got, want)
	}
	due, some := h.state.NextDeadline()
	if want := h.at.Add(floorSlack); !some || !due.Equal(want) {
		t.Errorf("deadline %v, want %v", due, want)
	}
	h.must(t, floorSlack-time.Millisecond, Tick{})
	if h.stream("s").HorizonFloor.IsZero() {
		t.Error("forgotten too early")
	}
	h.must(t, time.Millisecond, Tick{})
	if _, some := h.state.NextDeadline(); some || !h.stream("s").HorizonFloor.IsZero() {
		t.Error("not forgotten")
	}
}

// randomCommand is something that may be asked, often in vain.
func randomCommand(r *rand.Rand, h *history) Command {
	name, hours := fmt.Sprint("s", r.IntN(12)), 20+r.IntN(60)
	group := uint64(1 + r.IntN(int(h.state.lastGroup)+2))
	where := []string{region, "eu-west-1"}[r.IntN(2)]
	few := limits
	few.Shards, few.Tags, few.StreamsOnDemand = 60, 4, 3
	at := Address{account, where, name}
	switch r.IntN(16) {
	case 0, 1:
		return CreateStream{Account: account, Region: where, Name: name, ShardCount: r.IntN(8), Mode: []Mode{"", OnDemand}[r.IntN(2)], Limits: few,
			Tags: map[string]string{"a": name, "b": where}}
	case 2, 3, 4:
		return StreamReady{group}
	case 5:
		if r.IntN(3) > 0 {
			return StreamGone{group}
		}
		return DeleteStream{Account: account, Region: where, Name: name, WithConsumers: r.IntN(2) == 0}
	case 6:
		return IncreaseRetention{account, where, name, hours, few}
	case 7:
		return DecreaseRetention{account, where, name, hours, few}
	case 8:
		return AddTags{Account: account, Region: where, Name: name, Consumer: randomConsumer(r), Tags: map[string]string{fmt.Sprint(r.IntN(9)): name, "x": "<&>\u2028"}, Limits: few}
	case 9:
		return RemoveTags{Account: account, Region: where, Name: name, Consumer: randomConsumer(r), Keys: []string{fmt.Sprint(r.IntN(9)), "a", "x"}}
	case 10:
		if r.IntN(3) == 0 {
			return SetTestClock{h.at}
		}
		if r.IntN(2) == 0 {
			return UpdateMaxRecordSize{account, where, name, 1000 + r.IntN(2000), few}
		}
		return Tick{}
	case 11, 12:
		return randomReshard(r, h, at)
	default:
		return randomSetting(r, h, at, group)
	}
}

func randomConsumer(r *rand.Rand) string { return []string{"", "a", "b", "c"}[r.IntN(4)] }

// randomReshard often asks for what can be done.
func randomReshard(r *rand.Rand, h *history, a Address) Command {
	stream := h.state.Stream(a.Account, a.Region, a.Name)
	if stream == nil {
		return SplitShard{Address: a, Limits: reshardLimits}
	}
	if stream.Status == Updating {
		return sealed(stream, int64(r.IntN(9)))
	}
	open := stream.openInOrder()
	i := r.IntN(max(len(open), 1))
	switch r.IntN(5) {
	case 0:
		return SplitShard{Address: a, Shard: open[i].Number, At: open[i].Range.Middle(), Limits: reshardLimits}
	case 1:
		if i+1 < len(open) {
			return MergeShards{Address: a, Shard: open[i].Number, Adjacent: open[i+1].Number}
		}
		return MergeShards{Address: a, Shard: 1, Adjacent: 0}
	case 2:
		return UpdateShardCount{Address: a, Target: 1 + r.IntN(10), Limits: reshardLimits}
	case 3:
		return ScaleStream{Group: stream.Group, Target: 1 + r.IntN(10), Max: 10}
	default:
		gone := ShardsGone{Group: stream.Group}
		for _, shard := range stream.Shards {
			gone.Shards = append(gone.Shards, shard.Number)
		}
		return gone
	}
}

func randomSetting(r *rand.Rand, h *history, a Address, group uint64) Command {
	switch r.IntN(11) {
	case 0:
		return RegisterConsumer{Address: a, Consumer: []string{"a", "b", "c"}[r.IntN(3)], Tags: map[string]string{"k": "v"}, Limit: 2, Advantage: 3, TagLimit: 5}
	case 1:
		return DeregisterConsumer{Address: a, Consumer: []string{"a", "b", "c"}[r.IntN(3)]}
	case 2:
		return SetResourcePolicy{Address: a, Consumer: randomConsumer(r), Policy: []string{"", "{}"}[r.IntN(2)]}
	case 3:
		if stream := h.state.Stream(a.Account, a.Region, a.Name); stream != nil && r.IntN(4) > 0 {
			group = stream.Group
		}
		return StartEncryption{Address: a, Group: group, KeyID: "alias/k", DataKey: DataKey{Master: "m", Wrapped: []byte{1, byte(r.IntN(9))}}, PerDay: 3}
	case 4:
		return StopEncryption{Address: a}
	case 5:
		return RewrapKeys{Group: group, Keys: []DataKey{{ID: 1, Master: "n", Wrapped: []byte{2}}}}
	case 6:
		return SetShardMetrics{Address: a, Metrics: [][]string{nil, {"IncomingBytes"}}[r.IntN(2)]}
	case 7:
		return UpdateStreamMode{Address: a, Mode: []Mode{Provisioned, OnDemand}[r.IntN(2)], PerDay: 2, OnDemand: 9, Shards: 60}
	case 8:
		return UpdateWarmThroughput{Address: a, WarmMiBps: r.IntN(9), WarmMax: 10}
	case 9:
		return UpdateDistribution{Address: a, Distribution: []Distribution{Auto, ByPartitionKey}[r.IntN(2)]}
	default:
		return UpdateAccountSettings{Account: a.Account, Region: a.Region, Commit: r.IntN(3) > 0}
	}
}
