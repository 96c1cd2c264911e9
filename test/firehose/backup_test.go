package firehose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

func openDir(t *testing.T, dir string) vfs.FS {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// at is the session's account on another server.
func (s *session) at(other *server) *session {
	v := sessionAt(s.t, other.node.Addr(), s.account)
	v.server = other
	return v
}

// nextMillisecond is a moment between what was before and what comes.
func nextMillisecond(t *testing.T) time.Time {
	t.Helper()
	moment := time.Now().UTC().Truncate(time.Millisecond)
	eventually(t, "the next millisecond", func() bool { return time.Now().UTC().Truncate(time.Millisecond).After(moment) })
	return moment
}

// A backup has delivery streams, what they have not delivered and how far they have come; and, restored to an earlier moment, those of then. To a moment before one was deleted it is not
// restored: what that had not delivered is gone.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	slow := func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	}
	s.create("d", slow)
	s.create("gone", slow)
	_, err = s.streams.CreateStream(s.ctx, kinesisStream("s")) // a command of the control log, from which on moments count
	s.must(err)
	s.put("d", "a")
	s.put("gone", "x")
	there := nextMillisecond(t)
	_, err = s.DeleteDeliveryStream(s.ctx, &sdk.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("gone")})
	s.must(err)
	eventually(t, "it to be gone", func() bool {
		out, err := s.ListDeliveryStreams(s.ctx, &sdk.ListDeliveryStreamsInput{})
		s.must(err)
		return len(out.DeliveryStreamNames) == 1
	})
	moment := nextMillisecond(t)
	s.put("d", "b")
	s.create("later", slow)
	s.put("later", "y")
	s.must(first.stop())

	x, err := doctor.Examine(t.Context(), doctor.Options{FS: openDir(t, dir)})
	s.must(err)
	x.Close()
	if !x.Report.Sound || len(x.Report.Notes) > 0 || x.Report.Records != 4 {
		t.Errorf("%+v", x.Report)
	}
	place := backup.NewDir(openDir(t, t.TempDir()))

	_, err = backup.Make(t.Context(), place, backup.Source{Files: openDir(t, dir), Rest: openDir(t, dir), Taken: time.Now()}, backup.Options{Weir: "test"})
	s.must(err)
	_, err = backup.Restore(t.Context(), place, openDir(t, t.TempDir()), backup.RestoreOptions{At: there})
	if err == nil || !strings.Contains(err.Error(), "delivery stream gone (account "+s.account+", us-east-1) was deleted between that moment and the backup") {
		t.Error(err)
	}
	for want, at := range map[string]time.Time{"aby": {}, "ac": moment} {
		restored := t.TempDir()
		_, err := backup.Restore(t.Context(), place, openDir(t, restored), backup.RestoreOptions{At: at})
		s.must(err)
		again := s.at(startFor(t, node.Config{DataDir: restored}))
		again.makeBucket()
		if !at.IsZero() {
			again.create("later", slow) // under the number that another has had since
			again.put("later", "c")
		}
		eventually(t, want, func() bool { return strings.Join(bodies(again.delivered()), "") == want })
	}
}

// The doctor knows a log of direct puts by its delivery stream.
func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	s.create("d", nil)
	s.create("e", nil)
	s.put("d", "a")
	s.put("e", "b")
	s.must(first.stop())

	fs := openDir(t, dir)
	logs, err := disklog.Open(disklog.Options{FS: fs, Dir: datadir.Log, Clock: clock.Real})
	s.must(err)
	s.must(logs.Create(t.Context(), delivery.LogID(99), commitlog.Config{Retention: delivery.Retention}))
	s.must(logs.Delete(t.Context(), delivery.LogID(1)))
	s.must(logs.Close())
	says := func(findings []doctor.Finding, text string) bool {
		return slices.ContainsFunc(findings, func(f doctor.Finding) bool { return strings.Contains(f.Text, text) })
	}
	x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	s.must(err)
	defer x.Close()
	if missing := "delivery stream d (account " + s.account + ", us-east-1): the log of its direct puts is missing"; !says(x.Report.Findings, missing) || len(x.Report.Findings) != 1 {
		t.Errorf("%+v", x.Report.Findings)
	}
	if !says(x.Report.Notes, "log 4611686018427388003/0 belongs to no delivery stream") {
		t.Errorf("%+v", x.Report.Notes)
	}
	plan, err := x.Plan(time.Now())
	s.must(err)
	if err := x.Repair(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "delivery stream d (account "+s.account+", us-east-1)") {
		t.Error(err)
	}
}
