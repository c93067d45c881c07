package pan

import (
	"crypto/aes"
	"crypto/cipher"
)

// Resolvable private addresses, Bluetooth Core 5.4, volume 6, part B, 1.3.2.2: the most significant byte first here, as
// addresses are printed.
//
//	prand (3 bytes, its top bits 01) · hash (3 bytes) = ah(IRK, prand)

// rotation is how long such an address is used, ns: the default of private_addr_int (volume 3, part C, appendix A).
const rotation = int64(15 * 60 * 1e9)

// ah is the address hash (volume 3, part H, 2.2.2): the last three bytes of AES(IRK, zeros and prand).
func ah(irk cipher.Block, prand [3]byte) [3]byte {
	var b [16]byte
	copy(b[13:], prand[:])
	irk.Encrypt(b[:], b[:])
	return [3]byte(b[13:])
}

// privateAddress makes an address of 22 random bits. Those that are all zeros or all ones are not allowed.
func privateAddress(irk cipher.Block, random uint64) [6]byte {
	r := uint32(random % (1<<22 - 2))
	r++
	prand := [3]byte{0x40 | byte(r>>16), byte(r >> 8), byte(r)}
	hash := ah(irk, prand)
	return [6]byte{prand[0], prand[1], prand[2], hash[0], hash[1], hash[2]}
}

// Resolve tells whether an address, its most significant byte first, was made with an identity resolving key.
func Resolve(irk [16]byte, addr [6]byte) bool {
	if addr[0]>>6 != 1 {
		return false
	}
	return ah(newAES(irk), [3]byte(addr[:3])) == [3]byte(addr[3:])
}

func newAES(key [16]byte) cipher.Block {
	b, err := aes.NewCipher(key[:])
	if err != nil { // 16 bytes are a key
		panic(err)
	}
	return b
}
