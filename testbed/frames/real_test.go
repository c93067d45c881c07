package frames_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/frames"
)

// Real captures of others are read to their end, and every frame of them is a packet or is counted. They are not part of the project: the
// test runs where they are.
func TestRealCaptures(t *testing.T) {
	root := os.Getenv("GLASSHOUSE_REALDATA")
	if root == "" {
		root = "../../../../shared/realdata"
	}
	files, packets, left := 0, int64(0), make(frames.LeftOut)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(filepath.Base(path), ".pcap") {
			return err
		}
		got, r, err := read(t, path)
		if err != nil {
			if _, ok := errors.AsType[*frames.InputError](err); !ok {
				t.Errorf("%s: %v", path, err)
			}
			t.Logf("%s: %v", path, err)
			return nil
		}
		if n := int64(len(got)) + r.LeftOut().Total() - r.LeftOut()[frames.CutOff]; n != r.Frames() {
			t.Errorf("%s: %d of %d frames are accounted for", path, n, r.Frames())
		}
		files, packets = files+1, packets+int64(len(got))
		left.Add(r.LeftOut())
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	t.Logf("%d captures, %d packets; left out: %s", files, packets, left)
}
