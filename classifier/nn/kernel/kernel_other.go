//go:build !amd64

package kernel

// assembly is empty: there is plain Go alone.
func assembly() []*Kernel { return nil }
