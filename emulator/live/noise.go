package live

import (
	"math/rand/v2"
	"net"
	"time"

	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// noise is random-looking payload. It is drawn from a seed, so that nothing in it tells the plan. Used by one goroutine.
type noise struct {
	buf  []byte
	rng  *rand.ChaCha8
	mqtt *wire.MQTTEnd // of MQTT: what messages look like; nil where they are noise alone
}

const noiseSize = 1 << 16

func newNoise(seed uint64) *noise {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	n := &noise{buf: make([]byte, noiseSize), rng: rand.NewChaCha8(key)}
	_, _ = n.rng.Read(n.buf)
	return n
}

// SpeakMQTT makes messages MQTT's packets from now on: those of a device, or of a broker.
func (n *noise) SpeakMQTT(device, subscribes bool, name string) {
	n.mqtt = wire.NewMQTTEnd(n.rng, device, subscribes, name)
}

// MQTT tells whether messages are MQTT's packets.
func (n *noise) MQTT() bool { return n.mqtt != nil }

// fill writes random-looking bytes into p.
func (n *noise) fill(p []byte) { _, _ = n.rng.Read(p) }

// say sends a message of size bytes.
func (n *noise) say(c net.Conn, size int) error {
	switch {
	case n.mqtt == nil:
		return n.write(c, "", size)
	case size <= noiseSize:
		return n.write(c, string(n.mqtt.AppendMessage(nil, n.rng, size)), 0)
	}
	for rest := size; rest > 0; {
		head, k := n.mqtt.AppendPacketHead(nil, n.rng, size, rest)
		if err := n.write(c, string(head), k-len(head)); err != nil {
			return err
		}
		rest -= k
	}
	return nil
}

// write sends head and size bytes after it: in one Write up to 64 KiB, so that a message of one TLS record is one.
func (n *noise) write(c net.Conn, head string, size int) error {
	for size > 0 || head != "" {
		k := min(len(head)+size, noiseSize)
		if k <= 4096 {
			n.fill(n.buf[:k])
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
