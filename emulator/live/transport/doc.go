// Package transport is how both ends of the live world set up their connections alike: TLS with certificates of an authority of the run,
// HTTP/2 and nothing else, QUIC without segmentation offload and with the role of each datagram, MQTT's CONNECT, congestion control.
//
// Not modelled: certificates of real operators, session resumption.
package transport
