// Package tcp models a connection as Linux 6 keeps it: RFC 9293 with the SYN options and their order, ten segments at first, CUBIC with
// HyStart and its curve after a loss, bursts of segmentation offload, congestion windows that grow as far as they are used, quick and
// delayed acknowledgements, receive buffers counted in the kernel's memory, SACK, losses told by time (RACK), tail loss probes,
// time-outs, keepalive, FIN and RST.
//
// A connection is a state machine: segments come by Conn.Input, timers by its clock, what the program wants by Write, Consumed and
// Close; it sends whole IP packets by its Stack's function. All of it runs on the goroutine of the home's clock.
//
// Not modelled: losses told by fewer than three segments beyond a gap, time-outs that are taken back (F-RTO), windows that are announced
// as 0 before the buffer is full, PAWS, ECN, path MTU discovery; the memory of what is queued to be sent.
package tcp
