// Package live is the kind of host that uses real sockets: devices in Linux network namespaces of their own, and the
// clouds that they talk to.
//
// A device and its cloud walk the same seeded exchange; the first bytes of a connection name the session and look random.
// Both ends announce what they write to package truth before they write it. It runs on Linux only; elsewhere the package
// is empty.
//
// HTTP/2 is net/http at both ends, QUIC quic-go. MQTT is package wire's packets at both ends: a broker passes on what others
// publish, in sizes and at moments of its own, where here the cloud has a script to walk.
//
// Not modelled: what the cloud computes, certificates of real operators.
package live
