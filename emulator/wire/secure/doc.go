// Package secure writes the protocols that hide what they carry, TLS 1.2 and 1.3 and QUIC, as well-formed bytes: handshakes, records,
// packets and certificates, of the sizes that Go's crypto/tls and quic-go give them. Ciphertext, keys and signatures are drawn and decrypt
// to nothing. The exceptions are what an observer can check without keys: certificates are truly signed, and QUIC's Initial packets truly
// protected.
//
// Functions append to a slice and return it, do no I/O and read no clock; the same draws give the same bytes. None is safe for concurrent
// use of one Rand. Not modelled: session resumption, client certificates, retries and version negotiation.
package secure
