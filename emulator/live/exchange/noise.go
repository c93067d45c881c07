package exchange

import (
	"math/rand/v2"
	"net"
	"time"

	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// Noise is random-looking payload. It is drawn from a seed, so that nothing in it tells the plan. Used by one goroutine.
type Noise struct {
	buf  []byte
	rng  *rand.ChaCha8
	mqtt *wire.MQTTEnd // of MQTT: what messages look like; nil where they are noise alone
}

// MaxWrite is the most bytes that one write of noise has.
const MaxWrite = 1 << 16

// NewNoise returns the bytes that a seed gives.
func NewNoise(seed uint64) *Noise {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	n := &Noise{buf: make([]byte, MaxWrite), rng: rand.NewChaCha8(key)}
	_, _ = n.rng.Read(n.buf)
	return n
}

// SpeakMQTT makes messages MQTT's packets from now on: those of a device, or of a broker.
func (n *Noise) SpeakMQTT(device, subscribes bool, name string) {
	n.mqtt = wire.NewMQTTEnd(n.rng, device, subscribes, name)
}

// MQTT tells whether messages are MQTT's packets.
func (n *Noise) MQTT() bool { return n.mqtt != nil }

// Rand is where its bytes come from.
func (n *Noise) Rand() wire.Rand { return n.rng }

// Fill writes random-looking bytes into p.
func (n *Noise) Fill(p []byte) { _, _ = n.rng.Read(p) }

// say sends a message of size bytes.
func (n *Noise) say(c net.Conn, size int) error {
	switch {
	case n.mqtt == nil:
		return n.Write(c, "", size)
	case size <= MaxWrite:
		return n.Write(c, string(n.mqtt.AppendMessage(nil, n.rng, size)), 0)
	}
	for rest := size; rest > 0; {
		head, k := n.mqtt.AppendPacketHead(nil, n.rng, size, rest)
		if err := n.Write(c, string(head), k-len(head)); err != nil {
			return err
		}
		rest -= k
	}
	return nil
}

// Write sends head and size bytes after it: in one Write up to 64 KiB, so that a message of one TLS record is one.
func (n *Noise) Write(c net.Conn, head string, size int) error {
	for size > 0 || head != "" {
		k := min(len(head)+size, MaxWrite)
		if k <= 4096 {
			n.Fill(n.buf[:k])
		}
		h := copy(n.buf[:k], head)
		if err := c.SetWriteDeadline(time.Now().Add(policy.StreamTimeout)); err != nil {
			return err
		}
		if _, err := c.Write(n.buf[:k]); err != nil {
			return err
		}
		head, size = head[h:], size-(k-h)
	}
	return nil
}
