package transport

import (
	"encoding/base64"
	"errors"
	"io"

	"glasshouse/emulator/live/exchange"
)

// MQTTConnect is the first byte of a CONNECT (MQTT 3.1.1, section 3.1): no TLS record, no HTTP method and no token begins so.
const MQTTConnect = 0x10

// MQTTName is the name of a client whose session a token names: random letters to everybody else.
func MQTTName(token [exchange.TokenSize]byte) string {
	return base64.RawURLEncoding.EncodeToString(token[:])
}

var errNoConnect = errors.New("no CONNECT of a session of ours")

// ReadMQTTConnect reads a CONNECT and returns the token that the client's name begins with, and the packet's size.
func ReadMQTTConnect(r io.Reader) (token [exchange.TokenSize]byte, size int, err error) {
	var b [1]byte
	rest := 0
	for size = 1; size < 6; size++ { // the type, then a length of one to four bytes
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return token, 0, err
		}
		if size > 1 {
			rest |= int(b[0]&0x7f) << (7 * (size - 2))
			if b[0] < 0x80 {
				break
			}
		}
	}
	const before = 10 + 2 // protocol, level, flags, keep-alive; the name's length
	nameSize := base64.RawURLEncoding.EncodedLen(exchange.TokenSize)
	if rest < before+nameSize || rest > 1<<16 {
		return token, 0, errNoConnect
	}
	p := make([]byte, rest)
	if _, err := io.ReadFull(r, p); err != nil {
		return token, 0, err
	}
	if _, err := base64.RawURLEncoding.Decode(token[:], p[before:before+nameSize]); err != nil {
		return token, 0, errNoConnect
	}
	return token, size + rest, nil
}
