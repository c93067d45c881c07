// Package netns makes the network namespaces of a live home, its TAP and TUN interfaces, addresses, routes and sysctls. A Namespace's
// methods may be called from any goroutine; sockets that are opened inside Do stay in the namespace. It runs on Linux only; elsewhere the
// package is empty.
package netns
