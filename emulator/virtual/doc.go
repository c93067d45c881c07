// Package virtual is the kind of host that is a model: devices, the gateway's kernel and the internet of a home on one clock, on
// one goroutine. Every packet is well-formed bytes with right checksums; ciphertext is seeded noise.
//
// Modelled: TCP as Linux 6 sends it (SYN options and their order, ten segments at first, CUBIC's slow start with HyStart, bursts of
// segmentation offload, quick and delayed acknowledgements, SACK, tail loss probes, time-outs, keepalive, FIN and RST); TLS 1.2 and
// 1.3 handshakes and records as Go makes them; HTTP/1.1 in the clear, HTTP/2's writes inside TLS, MQTT; QUIC as quic-go sends it
// (handshake, Reno with its pacer, acknowledgement of every second packet or after 25 ms, losses by number, by time and by probes);
// DNS, NTP, ICMP echo, ARP with its confirmations, DHCP with renewals; lasting connections that are opened again; the slowness of
// programs, kernels and their threads, from measured quantiles.
//
// Not modelled: congestion avoidance beyond one segment a round trip (CUBIC's curve), receive windows that close, PAWS, ECN, path
// MTU discovery; of QUIC window updates, numbers that are skipped, and several streams; sockets' memory; what several homes on one
// machine do to each other's timing; IPv6; a cloud that closes a connection by itself.
//
// Known to differ from the live world: threads under load leave patterns of intervals below a millisecond that the quantiles do
// not have; acknowledgements cover two segments more often, and many more seldom, than where a busy program holds its socket; the
// live kernels' own multicast (IGMP, MLD, router solicitations) is missing on the LAN.
package virtual
