// Glasshouse runs smart homes of emulated devices, labels the packets on their WAN by a classifier, and scores it against exact
// truth. Its commands are in package testbed/cli.
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
