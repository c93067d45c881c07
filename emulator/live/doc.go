// Package live is the kind of host that uses real sockets: devices in Linux network namespaces of their own, and the
// clouds that they talk to.
//
// A device and its cloud walk the same seeded exchange; the first bytes of a connection name the session and look random.
// Both ends announce what they write to package truth before they write it. It runs on Linux only; elsewhere the package
// is empty. Not modelled: what the cloud computes, certificates of real operators, HTTP/2 framing inside TLS.
package live
