package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/merge"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/dataset/write"
)

// TestDirectoryBehindLink: a data set's directory may be a symbolic link, whether it is written or read.
func TestDirectoryBehindLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	s, found, err := dataset.OpenOrCreate(link, dataset.Manifest{Scenario: "x", RunHomes: 1, Captures: dataset.CapturesNone}, []byte("name: x\n"))
	if err != nil || found != dataset.FoundNothing {
		t.Fatal(found, err)
	}
	w, err := write.CreateDirectHome(s.PartPath(0), write.DirectOptions{Units: []dataset.Label{{Device: "x", Unit: "x"}}, Activities: []string{"none"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.HomeDone(dataset.HomeInfo{Home: 0}, w.Counts(), dataset.Fidelity{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.FinishHomes(true, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dataset.FileScenario, dataset.FileCard, dataset.HomeDir(0) + "/" + dataset.FilePackets} {
		if s.Manifest.Files[path] == "" {
			t.Errorf("%s is not in the manifest", path)
		}
	}
	for _, d := range []string{link, link + string(filepath.Separator), filepath.Join(dir, "real")} {
		v, err := verify.Run(d, false)
		if err != nil || !v.OK {
			t.Errorf("%s: %v %+v", d, err, v)
		}
	}
	merged := filepath.Join(dir, "merged")
	if err := os.Mkdir(filepath.Join(dir, "to"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "to"), merged); err != nil {
		t.Fatal(err)
	}
	r, err := merge.Run([]string{link}, merged, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Digest != s.Manifest.Digest() {
		t.Error("the merged digest differs")
	}
}

func TestLinkToNowhere(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if err := dataset.CheckEmpty(link); err == nil || !strings.Contains(err.Error(), "symbolic link to nowhere") {
		t.Error(err)
	}
}
