package tunnel

import (
	"bytes"
	"net"
)

// keyless is a control connection whose answers leave out the keys that must stay secret. WireGuard's cross-platform interface
// has them in its answers to `get`, for `wg showconf`; a tunnel of a testbed is looked at by many. A reader derives an interface's
// public key from the private one, so `wg show` has no public key of the interface itself, only of its peers.
//
// Only the engine's answering goroutine writes.
type keyless struct {
	net.Conn
	line []byte // written so far, of a line that has not ended
	out  []byte
}

var secretKeys = [][]byte{[]byte("private_key="), []byte("preshared_key=")}

// Write passes whole lines on; the engine's answers end with an empty one.
func (k *keyless) Write(p []byte) (int, error) {
	n := len(p)
	k.out = k.out[:0]
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			k.line = append(k.line, p...)
			break
		}
		k.line, p = append(k.line, p[:end]...), p[end:]
		if !secret(k.line) {
			k.out = append(k.out, k.line...)
		}
		clear(k.line)
		k.line = k.line[:0]
	}
	if len(k.out) == 0 {
		return n, nil
	}
	if _, err := k.Conn.Write(k.out); err != nil {
		return 0, err
	}
	return n, nil
}

func secret(line []byte) bool {
	for _, k := range secretKeys {
		if bytes.HasPrefix(line, k) {
			return true
		}
	}
	return false
}
