package dataset_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"glasshouse/testbed/dataset"
)

const readOnlyDir = "GLASSHOUSE_TEST_READ_ONLY_DIR"

// TestCompleteOnReadOnlyDisk: a complete data set on a disk that cannot be written is found complete. The disk is a read-only mount in a
// namespace of a child's own: root may write wherever modes forbid it.
func TestCompleteOnReadOnlyDisk(t *testing.T) {
	m := dataset.Manifest{Scenario: "x", RunHomes: 1, Captures: dataset.CapturesNone}
	if dir := os.Getenv(readOnlyDir); dir != "" {
		onReadOnlyDisk(t, dir, m)
		return
	}
	dir := t.TempDir()
	set := filepath.Join(dir, "set")
	s, _, err := dataset.OpenOrCreate(set, m, []byte("name: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FinishHomes(true, nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCompleteOnReadOnlyDisk$", "-test.v")
	cmd.Env = append(os.Environ(), readOnlyDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran { //nolint:errorlint // of this command
		t.Skip("no user and mount namespaces here: ", err)
	}
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	}
}

func onReadOnlyDisk(t *testing.T, dir string, m dataset.Manifest) {
	t.Helper()
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("no bind mount here: ", err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("no read-only mount here: ", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err == nil {
		t.Fatal("the disk can be written")
	}
	_, found, err := dataset.OpenOrCreate(filepath.Join(dir, "set"), m, []byte("name: x\n"))
	if err != nil || found != dataset.FoundComplete {
		t.Errorf("found %d: %v", found, err)
	}
}
