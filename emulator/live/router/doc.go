// Package router is what a live home's router does by itself: it serves DHCP, asks for groups by IGMP, looks up a name and the time. The
// kernel of its namespace forwards. Functions run until their context ends. It runs on Linux only; elsewhere the package is empty.
package router
