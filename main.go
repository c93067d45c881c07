package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed"
)

func main() {
	if ok, code := testbed.Child(); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sc, err := scenarios.Load(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	d, _ := time.ParseDuration(os.Args[2])
	res, err := testbed.Run(ctx, testbed.Options{Scenario: sc, Seed: 42, Duration: d, Out: os.Args[3], TimeScale: 100, Progress: func(p testbed.Progress) { fmt.Fprintln(os.Stderr, p) }})
	b, _ := json.MarshalIndent(res, "", " ")
	fmt.Println(string(b), err)
}
