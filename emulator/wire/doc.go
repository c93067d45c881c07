// Package wire writes application protocols as well-formed bytes, for hosts and clouds whose traffic is computed and not
// sent by a kernel: DNS, NTP, HTTP/1.1, HTTP/2's sizes inside TLS, MQTT, DHCP, and the LAN's mDNS, SSDP, IGMP and MLD. Package secure
// below it writes TLS and QUIC.
//
// What the live world's libraries send is the model, to the byte where nothing is random or encrypted and to the record
// and frame where something is; the tests hold the two side by side. Ciphertext, keys and signatures are drawn from a
// source of randomness and decrypt to nothing.
//
// Functions append to a slice and return it, do no I/O and read no clock; the same draws give the same bytes. None is safe
// for concurrent use of one Rand. Used by the virtual world's event loops, and by the live world for what is plain text.
package wire
