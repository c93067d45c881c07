package live_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// garbledLab in the environment makes this test's lab processes write what is no message.
const garbledLab = "GLASSHOUSE_TEST_GARBLED_LAB"

// speakGarbled writes to the report's pipe what cannot be decoded, and then waits, as a lab that runs does, until it is stopped.
func speakGarbled() int {
	report := os.NewFile(4, "report")
	_, _ = report.WriteString(strings.Repeat("\x05\xff\xfe\xfd\xfc\xfb", 100))
	_, _ = io.Copy(io.Discard, os.NewFile(3, "order"))
	return 0
}

// A lab whose messages cannot be read is stopped, and the run says why.
func TestGarbledMessagesEndTheRun(t *testing.T) {
	testbedtest.NeedLive(t)
	t.Setenv(garbledLab, "1")
	over := make(chan error, 1)
	go func() {
		_, err := testbed.Run(t.Context(), run.Options{
			Scenario: testbedtest.Load(t, "single-echo-dot"), Seed: 1, Duration: time.Minute, Out: filepath.Join(t.TempDir(), "set"),
		})
		over <- err
	}()
	select {
	case err := <-over:
		if err == nil || !strings.Contains(err.Error(), "reading from the lab") {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the run waits for a lab that it cannot understand")
	}
}

// Nothing in the environment turns a command into a lab, or into a probe that only ends well.
func TestEnvironmentMakesNoLab(t *testing.T) {
	for _, name := range []string{"GLASSHOUSE_LAB_PROBE", "GLASSHOUSE_LAB_CHILD"} {
		cmd := exec.Command("/proc/self/exe", "-test.list", "TestEnvironmentMakesNoLab")
		cmd.Env = append(os.Environ(), name+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "TestEnvironmentMakesNoLab") {
			t.Errorf("with %s=1 the program does not do what it is told: %v, %q", name, err, out)
		}
	}
}
