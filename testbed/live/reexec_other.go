//go:build !linux

package live

import (
	"context"
	"errors"
)

// ErrCannotIsolate means that the kernel refused the namespaces; doctor says which setting to change.
var ErrCannotIsolate = errors.New("live homes need Linux")

// Child reports that this process is no lab: there are none here.
func Child() (handled bool, code int) { return false, 0 }

func startChild(context.Context, order, string, func(message)) error { return ErrCannotIsolate }
