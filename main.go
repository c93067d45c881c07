// Glasshouse is a smart home with no hardware in it, and a window onto its WAN.
package main

import (
	"context"
	"os"

	"glasshouse/testbed/cli"
	"glasshouse/testbed/live"
)

func main() {
	if handled, code := live.Child(); handled {
		os.Exit(code)
	}
	ctx, stop := cli.StopOnSignals(context.Background())
	code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
