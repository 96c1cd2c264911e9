package disklog

import (
	"fmt"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// rebuild makes a manifest from the files that are there. What only the manifest said is not known: where logs were trimmed, their retention since their
// last segment, which are sealed, which were deleted. Logs that were deleted are back; whoever knows which exist says so to Repair.
//
// A crash between two manifests may have left both the files that were merged and the merged one. Of files that hold the same the youngest is taken.
func (im *Image) rebuild(names files) (*manifest, error) {
	s := im.store
	m := &manifest{incarnation: 1}
	covered := make(map[commitlog.ID][]interval)
	logs := make(map[commitlog.ID]*manifestLogState)
	for _, number := range slices.Backward(names.segments) {
		m.segmentNumber = max(m.segmentNumber, number)
		ref, extents, err := readSegmentRef(s.fs, s.path(segmentName(number)), number)
		if fault.Is(err, fault.Unsupported) {
			return nil, err
		}
		if err != nil {
			im.found(Finding{Kind: SegmentLost, File: segmentName(number), Text: fmt.Sprintf("%s: %v", segmentName(number), err)})
			continue
		}
		fresh, overlaps := 0, 0
		for _, e := range extents {
			free := intervals(covered[e.Log]).without(interval{e.First, e.Next})
			if len(free) > 0 {
				fresh++
			}
			if len(free) != 1 || free[0] != (interval{e.First, e.Next}) {
				overlaps++
			}
		}
		if fresh == 0 {
			im.spare = append(im.spare, ref)
			continue
		}
		if overlaps > 0 {
			im.found(Finding{Kind: SegmentLost, File: segmentName(number), Text: fmt.Sprintf("%s: %d of its %d pieces are in younger files, too: which count cannot be told without the manifest", segmentName(number), overlaps, len(extents))})
			continue
		}
		m.segments = append(m.segments, ref)
		for _, e := range extents {
			covered[e.Log] = append(covered[e.Log], interval{e.First, e.Next})
			slices.SortFunc(covered[e.Log], func(a, b interval) int { return int(a.from - b.from) })
			l := logs[e.Log]
			if l == nil {
				l = &manifestLogState{id: e.Log, retention: time.Duration(ref.class), first: e.First}
				logs[e.Log] = l
				im.unproved[e.Log] = true
			}
			l.first, l.next = min(l.first, e.First), max(l.next, e.Next)
		}
	}
	slices.Reverse(m.segments)
	for _, l := range logs {
		m.logs = append(m.logs, *l)
	}
	slices.SortFunc(m.logs, func(a, b manifestLogState) int { return a.id.Compare(b.id) })

	m.journalFrom, m.firstSequence = 1, 1
	for i, number := range names.journals {
		if i > 0 && number == names.journals[i-1]+1 {
			continue
		}
		m.journalFrom = number // the beginning of the youngest run: a gap is between what counts and what an older crash left
	}
	for _, number := range names.journals {
		file, err := readFile(s.fs, s.path(journalName(number)))
		if err != nil {
			return nil, err
		}
		h, err := decodeJournalHeader(file)
		if err != nil {
			h, _ = headerOfFirstBlock(file, number)
		}
		m.incarnation = max(m.incarnation, h.incarnation)
		if number == m.journalFrom {
			m.firstSequence = max(h.first, 1)
		}
	}
	return m, nil
}

// readSegmentRef is what a manifest would say of a segment file.
func readSegmentRef(fs vfs.FS, name string, number uint64) (manifestSegmentRef, []segment.Extent, error) {
	f, err := fs.Open(name)
	if err != nil {
		return manifestSegmentRef{}, nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return manifestSegmentRef{}, nil, err
	}
	if size < segment.FooterSize {
		return manifestSegmentRef{}, nil, fault.New(fault.Corrupt, "%d bytes are no segment", size)
	}
	tail := make([]byte, segment.FooterSize)
	if err := readFull(f, tail, size-segment.FooterSize); err != nil {
		return manifestSegmentRef{}, nil, err
	}
	footer, err := segment.DecodeFooter(tail, size)
	if err != nil {
		return manifestSegmentRef{}, nil, err
	}
	ref := manifestSegmentRef{number: number, size: size, class: footer.Class, indexCRC: footer.IndexCRC}
	_, extents, err := readIndex(f, ref)
	return ref, extents, err
}
