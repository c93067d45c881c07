package testbed

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// Whatever the order in which truth arrives, rows come out in the tap's order, each once, with its own truth.
func TestRowsKeepTheTapsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := int64(0)
		type out struct{ frame, event int64 }
		var got []out
		r := newRows(func(at int64, dir int8, _ []byte, o *dataset.Observation) {
			frames++
			*o = dataset.Observation{Frame: frames, TsNs: at, Dir: dir}
		}, func(row *dataset.Observation, l packet.Lineage, _ bool) {
			if l.Row != row.Frame {
				t.Fatalf("row %d carries the truth of row %d", row.Frame, l.Row)
			}
			got = append(got, out{row.Frame, l.Event})
		})
		var waiting []int64
		n := rapid.IntRange(1, 9000).Draw(t, "packets")
		chance := rapid.IntRange(1, 6).Draw(t, "chance")
		rng := rapid.SliceOfN(rapid.IntRange(0, 1<<20), 64, 64).Draw(t, "choices")
		pick := func(i, k int) int { return (rng[i%64] + i*7919) % k }
		for i := range n {
			event := int64(i + 1)
			if pick(i, 6) < chance {
				row := r.begin(int64(i), packet.Down, nil, packet.Unattributed(), false, false)
				if row != event {
					t.Fatalf("row %d, want %d", row, event)
				}
				waiting = append(waiting, row)
			} else {
				r.begin(int64(i), packet.Up, nil, packet.Lineage{Event: event}, true, false)
			}
			for len(waiting) > pick(i+13, 40) {
				k := pick(i+5, len(waiting))
				r.complete(waiting[k], packet.Lineage{Event: waiting[k]}, false)
				waiting = slices.Delete(waiting, k, k+1)
			}
		}
		for _, row := range waiting {
			r.complete(row, packet.Lineage{Event: row}, false)
		}
		if len(got) != n || r.waiting() != 0 || r.lateness() != 0 {
			t.Fatalf("%d of %d rows, %d wait, %d late", len(got), n, r.waiting(), r.lateness())
		}
		for i, o := range got {
			if o.frame != int64(i+1) || o.event != int64(i+1) {
				t.Fatalf("place %d: %+v", i, o)
			}
		}
	})
}

func TestRowsExpireAsLost(t *testing.T) {
	frames := int64(0)
	var lost []bool
	r := newRows(func(at int64, _ int8, _ []byte, o *dataset.Observation) {
		frames++
		*o = dataset.Observation{Frame: frames, TsNs: at}
	}, func(_ *dataset.Observation, _ packet.Lineage, l bool) { lost = append(lost, l) })
	first := r.begin(0, packet.Down, nil, packet.Unattributed(), false, false)
	r.attribute(first, packet.Lineage{Unit: 3})
	r.begin(1e9, packet.Down, nil, packet.Unattributed(), false, false)
	r.expire(rowTimeout)
	if !slices.Equal(lost, []bool{true}) {
		t.Fatalf("%v", lost)
	}
	r.complete(first, packet.Lineage{}, false)
	if r.lateness() != 1 {
		t.Error("truth that came too late was not counted")
	}
	r.close()
	if r.begin(2e9, packet.Up, nil, packet.Lineage{}, true, false) != 0 {
		t.Error("a packet passed a tap that is closed")
	}
	r.complete(2, packet.Lineage{}, false)
	if !slices.Equal(lost, []bool{true, false}) || r.waiting() != 0 {
		t.Fatalf("%v", lost)
	}
}
