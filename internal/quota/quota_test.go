package quota_test

import (
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// Every row says all of itself, once, and is found by its name.
func TestTableIsComplete(t *testing.T) {
	seen := map[quota.Name]bool{}
	table := quota.Default()
	for _, l := range quota.All() {
		if seen[l.Name] {
			t.Errorf("%s stands twice", l.Name)
		}
		seen[l.Name] = true
		if l.Name == "" || l.Value <= 0 || l.Unit == "" || l.Scope == "" || l.Source == "" || l.Read == "" {
			t.Errorf("%+v leaves something out", l)
		}
		if got := table.Get(l.Name); got != l.Value {
			t.Errorf("%s is %d in the default table and %d in its row", l.Name, got, l.Value)
		}
	}
}

func TestOverrides(t *testing.T) {
	for _, row := range []struct {
		name      string
		overrides map[quota.Name]int64
		wrong     []string // what the error says; none is no error
	}{
		{"none", nil, nil},
		{"an adjustable one", map[quota.Name]int64{quota.Shards: 7}, nil},
		{"zero forbids", map[quota.Name]int64{quota.StreamsOnDemand: 0}, nil},
		{"unknown", map[quota.Name]int64{"kinesis-shard": 7}, []string{`"kinesis-shard" is not one that Weir knows`}},
		{"fixed", map[quota.Name]int64{quota.Tags: 7}, []string{`"kinesis-tags" is 50 for every client`}},
		{"negative", map[quota.Name]int64{quota.Shards: -1}, []string{`cannot be negative`}},
		{"all at once", map[quota.Name]int64{"x": 1, quota.Shards: -1}, []string{`"x"`, `"kinesis-shards"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			table, err := quota.New(row.overrides)
			if len(row.wrong) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range row.overrides {
					if table.Get(name) != value {
						t.Errorf("%s is %d, want %d", name, table.Get(name), value)
					}
				}
				return
			}
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("error %v is not Invalid", err)
			}
			for _, part := range row.wrong {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
	if quota.Default().Get(quota.Shards) != 20_000 {
		t.Error("an override reached the default table")
	}
}

func TestUnknownNamePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	quota.Default().Get("no such limit")
}
