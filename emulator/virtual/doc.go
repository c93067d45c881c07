// Package virtual is the kind of host that is a model: devices, the gateway's kernel and the internet of a home on one clock, on one
// goroutine. Every packet is well-formed bytes with right checksums; ciphertext is seeded noise.
//
// Modelled: TCP as Linux 6 sends it (SYN options and their order, ten segments at first, CUBIC with HyStart and its curve after a
// loss, bursts of segmentation offload, congestion windows that grow as far as they are used, quick and delayed acknowledgements,
// receive buffers counted in the kernel's memory and grown by the receiver's own round trips and by what lies beyond a gap, SACK with
// the newest block first and its acknowledgements put together, losses told by time, windows that shrink in step, tail loss probes,
// time-outs, keepalive, FIN and RST); TLS 1.2 and 1.3 handshakes and records as Go makes them; HTTP/1.1 in the clear, HTTP/2's writes
// inside TLS, MQTT; QUIC as quic-go sends it (handshake, Reno with its pacer, acknowledgement of every second packet or after 25 ms,
// losses by number, by time and by probes); DNS, NTP, ICMP echo, ARP with its confirmations, DHCP with renewals; on the LAN mDNS,
// SSDP, IGMP and IPv6's own talk; lasting connections that are opened again; the slowness of programs, kernels and their threads, from
// measured quantiles.
//
// Not modelled: losses told by fewer than three segments beyond a gap, time-outs that are taken back (F-RTO), windows that are
// announced as 0 before the buffer is full, PAWS, ECN, path MTU discovery; of QUIC window updates, numbers that are skipped, and
// several streams; the memory of what is queued to be sent; what several homes on one machine do to each other's timing; IPv6 beyond
// the LAN; a cloud that closes a connection by itself.
//
// Known to differ from the live world: threads under load leave patterns of intervals below a millisecond that the quantiles do not
// have; an HTTP/2 server's two settings frames go out together, live at times one by one; bytes that the air lost before the access
// point have the role data live when they are sent again, here retransmission.
package virtual
