// Package virtual is the kind of host that is a model: devices, the gateway's kernel and the internet of a home on one clock, on one
// goroutine. Every packet is well-formed bytes with right checksums; ciphertext is seeded noise.
//
// Net is a home's hosts and is called by the virtual lab; Host is a device, which performs activities. What a host consists of has
// packages of its own: tcp and quic (connections), session (the programs at both ends of a TCP connection), datagram (exchanges of
// datagrams), neighbour (ARP), latency (the slowness of programs, kernels and threads); each says what it does not model. Here are DNS,
// NTP, ICMP echo, DHCP with renewals, on the LAN mDNS, SSDP, IGMP and IPv6's own messages, and lasting connections that are opened again.
//
// Not modelled: what several homes on one machine do to each other's timing; IPv6 beyond the LAN.
//
// Known to differ from the live world: bytes that the Wi-Fi lost before the access point have the role data live when they are sent
// again, here retransmission.
package virtual
