package dataset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/merge"
)

// Shards that are merged are the run made in one piece, but for which files share their bytes.
func TestMerge(t *testing.T) {
	r := newRun(5, dataset.CapturesAll, 0)
	root := t.TempDir()
	want := r.whole(t, filepath.Join(root, "one"), "", every)
	var shards []string
	for i := range 3 {
		dir := filepath.Join(root, fmt.Sprint("shard", i))
		r.whole(t, dir, fmt.Sprintf("%d/3", i+1), func(home int) bool { return home%3 == i })
		shards = append(shards, dir)
	}
	calls := 0
	out := filepath.Join(root, "merged")
	got, err := merge.Run([]string{shards[2], shards[0], shards[1]}, out, func(done, of int) {
		if calls++; done != calls || of != 5 {
			t.Errorf("%d of %d homes at call %d", done, of, calls)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != want.Manifest.Digest() || got.Homes != 5 || got.Of != 5 || got.Packets != want.Manifest.Counts.WAN || got.Linked+got.Copied != 20 {
		t.Errorf("%+v", got)
	}
	verified(t, out)
	d, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Manifest, d.Manifest); diff != "" {
		t.Error(diff)
	}
	for _, s := range shards {
		verified(t, s)
	}

	part := filepath.Join(root, "part")
	if got, err = merge.Run(shards[:2], part, nil); err != nil || got.Homes != 4 || got.Of != 5 {
		t.Fatalf("%+v %v", got, err)
	}
	verified(t, part)
	if got, err = merge.Run([]string{part, shards[2]}, filepath.Join(root, "later"), nil); err != nil || got.Digest != want.Manifest.Digest() {
		t.Errorf("%+v %v", got, err)
	}
}

// A damaged shard is told, and leaves no data set behind, where its files are linked, too.
func TestMergeFindsDamage(t *testing.T) {
	root := t.TempDir()
	d := newRun(2, dataset.CapturesAll, 0).whole(t, filepath.Join(root, "set"), "", every)
	flip(t, filepath.Join(d.Dir, dataset.HomeDir(1), dataset.FilePackets), 200)
	out := filepath.Join(root, "merged")
	if _, err := merge.Run([]string{d.Dir}, out, nil); err == nil || !strings.Contains(err.Error(), dataset.HomeDir(1)+"/"+dataset.FilePackets+": sha256 differs") {
		t.Errorf("%v", err)
	}
	if err := dataset.CheckEmpty(out); err != nil {
		t.Error(err)
	}
}

func TestMergeRefuses(t *testing.T) {
	root := t.TempDir()
	r := newRun(4, dataset.CapturesNone, 0)
	even := func(home int) bool { return home%2 == 0 }
	a := r.whole(t, filepath.Join(root, "a"), "1/2", even).Dir
	b := r.whole(t, filepath.Join(root, "b"), "2/2", func(home int) bool { return !even(home) }).Dir
	again := r.whole(t, filepath.Join(root, "again"), "1/2", even).Dir
	seed := newRun(4, dataset.CapturesNone, 0)
	seed.m.Seed++
	other := seed.whole(t, filepath.Join(root, "other"), "2/2", func(home int) bool { return !even(home) }).Dir
	unfinished := filepath.Join(root, "unfinished")
	if _, _, err := dataset.OpenOrCreate(unfinished, r.m, []byte("x")); err != nil {
		t.Fatal(err)
	}
	occupied := filepath.Join(root, "occupied")
	put(t, filepath.Join(occupied, "mine.txt"), "precious")
	for _, c := range []struct {
		dirs []string
		out  string
		want string
	}{
		{nil, "out", "no data set"},
		{[]string{a, again}, "out", "home 0 is in " + a + " and in " + again},
		{[]string{a, other}, "out", "seed is 6, not 5"},
		{[]string{a, unfinished}, "out", "is running"},
		{[]string{a, filepath.Join(root, "nothing")}, "out", "not a data set"},
		{[]string{a, b}, "occupied", "holds something already"},
	} {
		_, err := merge.Run(c.dirs, filepath.Join(root, c.out), nil)
		var in *dataset.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.want, err)
		}
		if _, err := os.Stat(filepath.Join(root, "out")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: something was made: %v", c.want, err)
		}
	}
	// A home that is not there after all: nothing that looks like a data set is left.
	if err := os.Remove(filepath.Join(b, dataset.HomeDir(1), dataset.FilePackets)); err != nil {
		t.Fatal(err)
	}
	if _, err := merge.Run([]string{a, b}, filepath.Join(root, "out"), nil); err == nil {
		t.Error("a home without rows was merged")
	}
	if err := dataset.CheckEmpty(filepath.Join(root, "out")); err != nil {
		t.Error(err)
	}
}
