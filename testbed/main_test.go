//go:build linux

package testbed_test

import (
	"os"
	"testing"

	"glasshouse/testbed"
)

func TestMain(m *testing.M) {
	if os.Getenv(garbledLab) != "" && os.Args[0] == "glasshouse: lab" {
		os.Exit(speakGarbled())
	}
	if handled, code := testbed.Child(); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// needLive skips a test that this machine cannot run.
func needLive(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a live home takes its time: not with -short")
	}
	if r := testbed.Doctor(); !r.Live {
		skip(t, "no live home here: "+r.FirstFix())
	}
}
