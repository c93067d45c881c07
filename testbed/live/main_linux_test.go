//go:build linux

package live_test

import (
	"os"
	"testing"

	"glasshouse/testbed/testbedtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(garbledLab) != "" && os.Args[0] == "glasshouse: lab" {
		os.Exit(speakGarbled())
	}
	os.Exit(testbedtest.Main(m))
}
