// Package shell lets users enter a live lab while it runs: a command runs in the network namespace of a device, the gateway or the
// internet, with files of its own to match (resolv.conf, /sys, WireGuard's control sockets). Go cannot join a user or mount namespace, so
// the lab starts the command itself (Serve) and the caller (Run) passes its terminal over an abstract unix socket, which vanishes with
// the lab, whatever ends it.
package shell
