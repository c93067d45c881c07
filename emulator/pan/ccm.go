package pan

import "crypto/cipher"

// seal appends plain, encrypted, and its tag of tagLen bytes to dst: CCM of RFC 3610, which is CCM* where tagLen is not 0.
// The nonce has 15-L bytes, L being the bytes of the length field. aad is shorter than 65280 bytes.
func seal(dst []byte, block cipher.Block, nonce, aad, plain []byte, tagLen int) []byte {
	l := 15 - len(nonce)
	var mac, b [16]byte
	b[0] = byte((tagLen-2)/2<<3 | (l - 1))
	if len(aad) > 0 {
		b[0] |= 0x40
	}
	copy(b[1:], nonce)
	length := len(plain)
	for i := 15; i > 15-l; i-- {
		b[i] = byte(length)
		length >>= 8
	}
	block.Encrypt(mac[:], b[:])
	if len(aad) > 0 {
		n := 2
		mac[0] ^= byte(len(aad) >> 8)
		mac[1] ^= byte(len(aad))
		for _, x := range aad {
			if n == 16 {
				block.Encrypt(mac[:], mac[:])
				n = 0
			}
			mac[n] ^= x
			n++
		}
		block.Encrypt(mac[:], mac[:])
	}
	var a, s [16]byte
	a[0] = byte(l - 1)
	copy(a[1:], nonce)
	for i := 0; i < len(plain); i += 16 {
		for j := 15; j > 15-l; j-- { // the counter
			if a[j]++; a[j] != 0 {
				break
			}
		}
		block.Encrypt(s[:], a[:])
		for j, x := range plain[i:min(i+16, len(plain))] {
			mac[j] ^= x
			dst = append(dst, x^s[j])
		}
		block.Encrypt(mac[:], mac[:])
	}
	clear(a[16-l:])
	block.Encrypt(s[:], a[:])
	for i := range tagLen {
		dst = append(dst, mac[i]^s[i])
	}
	return dst
}
