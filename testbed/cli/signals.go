package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// StopOnSignals is a context that ends with the first signal that asks a program to stop: Ctrl-C, Ctrl-\, a terminal that is closed,
// a wish to end. What is begun is then put in order. Where nohup has said that a closed terminal does not matter, it does not.
func StopOnSignals(parent context.Context) (context.Context, context.CancelFunc) {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		stops = append(stops, syscall.SIGHUP)
	}
	return signal.NotifyContext(parent, stops...)
}
