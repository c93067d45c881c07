//go:build !linux

package watch

import (
	"context"
	"errors"

	"glasshouse/testbed/frames"
)

// Interface gives the frames of a network interface; on Linux only.
func Interface(context.Context, string, func(frames.Record) error) (int64, error) {
	return 0, errors.New("a live interface can be watched on Linux only; a capture file anywhere")
}
