package label

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
		r := NewRows(func(at int64, dir int8, _ []byte, o *dataset.Observation) {
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
				row := r.Begin(Passing{At: int64(i), Dir: packet.Down, Lineage: packet.Unattributed()})
				if row != event {
					t.Fatalf("row %d, want %d", row, event)
				}
				waiting = append(waiting, row)
			} else {
				r.Begin(Passing{At: int64(i), Dir: packet.Up, Lineage: packet.Lineage{Event: event}, Done: true})
			}
			for len(waiting) > pick(i+13, 40) {
				k := pick(i+5, len(waiting))
				r.Complete(waiting[k], packet.Lineage{Event: waiting[k]}, false)
				waiting = slices.Delete(waiting, k, k+1)
			}
		}
		for _, row := range waiting {
			r.Complete(row, packet.Lineage{Event: row}, false)
		}
		if len(got) != n || r.Waiting() != 0 || r.Lateness() != 0 {
			t.Fatalf("%d of %d rows, %d wait, %d late", len(got), n, r.Waiting(), r.Lateness())
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
	r := NewRows(func(at int64, _ int8, _ []byte, o *dataset.Observation) {
		frames++
		*o = dataset.Observation{Frame: frames, TsNs: at}
	}, func(_ *dataset.Observation, _ packet.Lineage, l bool) { lost = append(lost, l) })
	first := r.Begin(Passing{Dir: packet.Down, Lineage: packet.Unattributed()})
	r.Attribute(first, packet.Lineage{Unit: 3})
	r.Begin(Passing{At: 1e9, Dir: packet.Down, Lineage: packet.Unattributed()})
	r.Expire(RowTimeout)
	if !slices.Equal(lost, []bool{true}) {
		t.Fatalf("%v", lost)
	}
	r.Complete(first, packet.Lineage{}, false)
	if r.Lateness() != 1 {
		t.Error("truth that came too late was not counted")
	}
	r.Close()
	if r.Begin(Passing{At: 2e9, Dir: packet.Up, Done: true}) != 0 {
		t.Error("a packet passed a tap that is closed")
	}
	r.Complete(2, packet.Lineage{}, false)
	if !slices.Equal(lost, []bool{true, false}) || r.Waiting() != 0 {
		t.Fatalf("%v", lost)
	}
}
