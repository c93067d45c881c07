// Package exchange is what both ends of a live connection share: the registry of sessions, in memory, the jobs that both ends walk, and
// the noise that they send. The first bytes of a connection, or of a datagram, name what it belongs to and look random: nothing that
// travels tells the plan. Jobs are walked with deadlines, so that a lost end never blocks the other.
//
// Not modelled: what a message says.
package exchange
