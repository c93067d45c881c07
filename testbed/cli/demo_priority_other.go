//go:build !linux

package cli

// lowerPriority does nothing where there are no live homes to yield to.
func lowerPriority() {}
