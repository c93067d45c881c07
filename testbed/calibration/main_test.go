package calibration_test

import (
	"os"
	"testing"

	"glasshouse/testbed/testbedtest"
)

func TestMain(m *testing.M) { os.Exit(testbedtest.Main(m)) }
