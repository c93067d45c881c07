package pan

import (
	"crypto/cipher"
	"encoding/binary"

	"glasshouse/devices/draw"
)

// A frame of Zigbee PRO (R22), its numbers in little endian:
//
//	MAC  frame control 2 · sequence 1 · PAN 2 · to 2 · from 2                        IEEE 802.15.4, 7.2
//	NWK  frame control 2 · to 2 · from 2 · radius 1 · sequence 1 [· EUI-64 8]        3.3.1
//	     security control 1 · counter 4 · EUI-64 8 · key 1                           4.5.1
//	     under AES-CCM*: APS control 1 · endpoint 1 · cluster 2 · profile 2 · endpoint 1 · counter 1 · ZCL …, then a code of 4
//	FCS  CRC-16 of all 2
const (
	macData      = 0x8841 // short addresses in one PAN
	macAskAck    = 0x0020
	macCommand   = 0x8863 // of a device that asks its parent for data; to be acknowledged
	macAck       = 0x0002
	dataRequest  = 4
	broadcastMAC = 0xffff
	routersNWK   = 0xfffc // all routers and the coordinator

	nwkData     = 0x0208 // protocol version 2, secured
	nwkCommand  = 0x1209 // and its sender's EUI-64
	linkStatus  = 8
	secLevel5   = 5    // encrypted, a code of 4 bytes; on the air it is written as 0
	secNetKey   = 0x28 // the network key, the sender's EUI-64
	codeLength  = 4
	homeProfile = 0x0104 // home automation

	clusterBasic       = 0x0000
	clusterOnOff       = 0x0006
	clusterTemperature = 0x0402
	clusterOccupancy   = 0x0406

	zclReport  = 0x0a
	lumiCode   = 0x115f // the manufacturer
	lumiStatus = 0xff01 // its attribute with the battery, of pairs of tag and value

	turnaround = int64(192_000) // ns from a frame's end to its acknowledgement: 12 symbols
	symbolByte = int64(32_000)  // ns a byte at 250 kbit/s
	shr        = 6              // bytes before a frame: preamble, delimiter, length
)

// airtime is how long a frame takes on the air, ns.
func airtime(frame []byte) int64 { return int64(shr+len(frame)) * symbolByte }

// node is a member of a Zigbee network.
type node struct {
	addr             uint16
	eui              [8]byte
	mac, nwk, aps, z uint8 // sequence numbers
	counter          uint32
}

func newNode(d *draw.Stream, addr uint16, eui [8]byte) node {
	x := d.Uint64()
	return node{
		addr: addr, eui: eui, mac: uint8(x), nwk: uint8(x >> 8), aps: uint8(x >> 16), z: uint8(x >> 24),
		counter: 1000 + uint32(x>>32)%100_000,
	}
}

// header appends a MAC header.
func (n *node) header(b []byte, control, pan, to uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, control)
	b = append(b, n.mac)
	n.mac++
	b = binary.LittleEndian.AppendUint16(b, pan)
	b = binary.LittleEndian.AppendUint16(b, to)
	return binary.LittleEndian.AppendUint16(b, n.addr)
}

// secure appends a NWK frame whose header follows the first mac bytes of b: the auxiliary header, and the payload under the key.
func (n *node) secure(b []byte, mac int, key cipher.Block, payload []byte) []byte {
	aux := len(b)
	b = append(b, secNetKey|secLevel5)
	b = binary.LittleEndian.AppendUint32(b, n.counter)
	eui := reversed(n.eui)
	b = append(append(b, eui[:]...), 0)
	var nonce [13]byte // EUI-64, counter, control
	copy(nonce[:], eui[:])
	binary.LittleEndian.PutUint32(nonce[8:], n.counter)
	nonce[12] = secNetKey | secLevel5
	n.counter++
	aad := append([]byte(nil), b[mac:]...)
	b = seal(b, key, nonce[:], aad, payload, codeLength)
	b[aux] = secNetKey
	return b
}

// report makes a frame that tells the coordinator of one attribute.
func (n *node) report(pan uint16, key cipher.Block, cluster uint16, zcl []byte) []byte {
	b := n.header(make([]byte, 0, 127), macData|macAskAck, pan, 0)
	mac := len(b)
	b = binary.LittleEndian.AppendUint16(b, nwkData)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, n.addr)
	b = append(b, 30, n.nwk)
	n.nwk++
	var aps []byte
	aps = append(aps, 0, 1)
	aps = binary.LittleEndian.AppendUint16(aps, cluster)
	aps = binary.LittleEndian.AppendUint16(aps, homeProfile)
	aps = append(aps, 1, n.aps)
	n.aps++
	return withFCS(n.secure(b, mac, key, append(aps, zcl...)))
}

// attribute makes a ZCL report of an attribute: of the profile, from the server, no default response asked for.
func (n *node) attribute(id uint16, kind byte, value ...byte) []byte {
	b := []byte{0x18, n.z, zclReport}
	n.z++
	b = binary.LittleEndian.AppendUint16(b, id)
	return append(append(b, kind), value...)
}

// status makes lumi's report of a battery of so many mV at so many degrees Celsius.
func (n *node) status(millivolts uint16, celsius int8) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0x1c}, lumiCode)
	b = append(b, n.z, zclReport)
	n.z++
	b = binary.LittleEndian.AppendUint16(b, lumiStatus)
	return append(b, 0x42, 7, 0x01, 0x21, byte(millivolts), byte(millivolts>>8), 0x03, 0x28, byte(celsius)) // a string of 7 bytes
}

// poll makes the command by which a sleepy device asks for what its parent holds.
func (n *node) poll(pan uint16) []byte {
	return withFCS(append(n.header(nil, macCommand, pan, 0), dataRequest))
}

// neighbours makes a coordinator's link status without neighbours: its end devices are none.
func (n *node) neighbours(pan uint16, key cipher.Block) []byte {
	b := n.header(make([]byte, 0, 64), macData, pan, broadcastMAC)
	mac := len(b)
	b = binary.LittleEndian.AppendUint16(b, nwkCommand)
	b = binary.LittleEndian.AppendUint16(b, routersNWK)
	b = binary.LittleEndian.AppendUint16(b, n.addr)
	b = append(b, 1, n.nwk)
	n.nwk++
	eui := reversed(n.eui)
	b = append(b, eui[:]...)
	const firstAndLast = 0x60
	return withFCS(n.secure(b, mac, key, []byte{linkStatus, firstAndLast}))
}

// ackOf makes the acknowledgement of a frame. Pending tells a device that polls that there is something for it.
func ackOf(frame []byte) []byte { return withFCS([]byte{macAck, 0, frame[2]}) }

func reversed(e [8]byte) (r [8]byte) {
	for i, x := range e {
		r[7-i] = x
	}
	return r
}

// withFCS appends the CRC-16 of ITU-T, bits reversed, from 0 (IEEE 802.15.4, 7.2.11).
func withFCS(b []byte) []byte {
	var crc uint16
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint16(b, crc)
}
