// Package live is the kind of host that uses real sockets: devices in Linux network namespaces of their own. A Host performs activities,
// each exchange on a goroutine, until it is closed.
//
// netns makes namespaces and interfaces; cloud is the servers that devices talk to, router what the gateway does by itself; exchange and
// transport are what both ends share. A device and its cloud walk the same seeded exchange; both ends announce what they write to package
// truth before they write it. It runs on Linux only; elsewhere the package is empty.
//
// HTTP/2 is net/http at both ends, QUIC quic-go. MQTT is package wire's packets at both ends: a broker passes on what others publish, in
// sizes and at moments of its own, where here the cloud has a script to walk.
package live
