package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// quicSalt is the salt of version 1 (RFC 9001, section 5.2): everybody can compute the keys of Initial packets.
const quicSalt = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"

// initialKeys protect one end's Initial packets.
type initialKeys struct {
	aead   cipher.AEAD
	header cipher.Block
	iv     [12]byte
	nonce  [12]byte // here, and mask, so that they are not allocated for each packet
	mask   [16]byte
}

// newInitialKeys derives the keys of the client's and the server's Initial packets from the connection ID that the client
// chose for the server.
func newInitialKeys(id []byte) (keys [2]initialKeys, err error) {
	secret, err := hkdf.Extract(sha256.New, id, []byte(quicSalt))
	if err != nil {
		return keys, fmt.Errorf("deriving the Initial secret: %w", err)
	}
	for i, label := range []string{"client in", "server in"} {
		if keys[i], err = newEndKeys(secret, label); err != nil {
			return keys, fmt.Errorf("deriving the keys of Initial packets: %w", err)
		}
	}
	return keys, nil
}

func newEndKeys(secret []byte, label string) (k initialKeys, err error) {
	end, err := expandLabel(secret, label, sha256.Size)
	if err != nil {
		return k, err
	}
	var parts [3][]byte
	for i, part := range []struct {
		label string
		size  int
	}{{"quic key", 16}, {"quic iv", len(k.iv)}, {"quic hp", 16}} {
		if parts[i], err = expandLabel(end, part.label, part.size); err != nil {
			return k, err
		}
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil {
		return k, err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return k, err
	}
	copy(k.iv[:], parts[1])
	k.header, err = aes.NewCipher(parts[2])
	return k, err
}

// expandLabel is HKDF-Expand-Label without context (RFC 8446, section 7.1).
func expandLabel(secret []byte, label string, size int) ([]byte, error) {
	info := string([]byte{byte(size >> 8), byte(size), byte(len("tls13 ") + len(label))}) + "tls13 " + label + "\x00"
	return hkdf.Expand(sha256.New, secret, info, size)
}

// protect encrypts a packet in place, and then its header (RFC 9001, sections 5.3 and 5.4). The packet begins at start; its
// number, of numberSize bytes, at number; its plaintext follows. The tag is appended.
func (k *initialKeys) protect(b []byte, start, number, numberSize int, n uint64) []byte {
	k.nonce = k.iv
	binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.nonce[4:])^n)
	plain := number + numberSize
	b = k.aead.Seal(b[:plain], k.nonce[:], b[plain:], b[start:plain])
	k.header.Encrypt(k.mask[:], b[number+4:number+20])
	b[start] ^= k.mask[0] & 0x0f // a long header
	for i := range numberSize {
		b[number+i] ^= k.mask[1+i]
	}
	return b
}
