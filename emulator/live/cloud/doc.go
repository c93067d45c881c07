// Package cloud is the servers of a live home's internet: streams (TLS, HTTP, HTTP/2, MQTT), datagrams, QUIC, DNS and NTP, and the
// packets that nobody asked for. Servers run on goroutines of their own until Close; they announce what they write to package truth before
// they write it. It runs on Linux only; elsewhere the package is nearly empty.
//
// Not modelled: what the cloud computes, delays of names and time servers, an MQTT broker's other clients.
package cloud
