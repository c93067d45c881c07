package pan

import (
	"crypto/cipher"
	"encoding/binary"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// An advertisement as link type 256 has it (Bluetooth Core, volume 6, part B, 2.1 and 2.3), in little endian:
//
//	pseudo-header   channel 1 · signal 1 · noise 1 · offences 1 · reference address 4 · flags 2
//	link layer      access address 4 · PDU type 1 · length 1 · advertiser 6 · AD structures up to 31 · CRC 3
//
// The content is MiBeacon's, version 5, as service data of 0xFE95:
//
//	control 2 · product 2 · counter 1 · under AES-CCM: object 2 + length 1 + value · counter's rest 3 · code 4
const (
	accessAddress = 0x8e89bed6
	advNonconn    = 0x42 // ADV_NONCONN_IND from a random address
	crcInit       = 0x555555

	flagDewhitened, flagSignal, flagNoise    = 0x0001, 0x0002, 0x0004
	flagReference, flagCRCChecked, flagCRCOk = 0x0010, 0x0400, 0x0800

	serviceMi    = 0xfe95
	miEncrypted  = 0x5048 // version 5, an object, encrypted; no address, which would tell who it is
	miEncryptAAD = 0x11

	objectMotion      = 0x000f
	objectButton      = 0x1001
	objectDoor        = 0x1019
	objectTemperature = 0x100d
	objectBattery     = 0x100a

	bleByte = int64(8_000)       // ns a byte at 1 Mbit/s
	bleGap  = int64(400_000)     // ns from the start of one channel's advertisement to the next one's, assumed: at most 10 ms are allowed
	scan    = int64(100_000_000) // ns that the hub listens on each channel
)

// advChannels are the physical channels of 37, 38 and 39 (volume 6, part B, 1.4.1).
func advChannels() [3]byte { return [3]byte{0, 12, 39} }

// product numbers are MiBeacon's.
func productOf(s profile.Sensor) uint16 {
	switch s {
	case profile.SensorDoor:
		return 0x098b // MCCGQ02HL
	case profile.SensorMotion:
		return 0x0a8d // RTCGQ02LM
	case profile.SensorButton:
		return 0x0153 // YLKG07YL
	case profile.SensorTemperature:
	}
	return 0x01aa // LYWSDCGQ
}

// beacon is a kit's Bluetooth side.
type beacon struct {
	unit      *script.KitUnit
	irk, bind cipher.Block
	d         *draw.Stream // of addresses
	addr      [6]byte
	until     int64 // when its address changes, ns
	counter   uint32
	object    []byte // what its advertisements hold now
	signal    int8   // dBm, in the mean
}

func newBeacon(u *script.KitUnit) beacon {
	d := draw.New(u.Seed, "address")
	return beacon{
		unit: u, irk: newAES(u.IRK), bind: newAES(u.BindKey), d: d, until: -d.N(rotation), // as if it had run before
		counter: uint32(d.N(1 << 16)), signal: -int8(50 + d.N(30)),
	}
}

// address returns the address in use at a time. Times do not decrease.
func (b *beacon) address(at int64) [6]byte {
	for b.addr == [6]byte{} || at >= b.until {
		b.addr = privateAddress(b.irk, b.d.Uint64())
		b.until += rotation
		if at < b.until {
			break
		}
	}
	return b.addr
}

// set gives the beacon another object to tell: its counter moves on.
func (b *beacon) set(id uint16, value ...byte) {
	b.counter++
	b.object = binary.LittleEndian.AppendUint16(b.object[:0], id)
	b.object = append(append(b.object, byte(len(value))), value...)
}

// advertisement makes the frame that is heard on an advertising channel (0 to 2) at a time.
func (b *beacon) advertisement(at int64, channel int, signal int8) []byte {
	pdu := []byte{advNonconn, 0}
	addr := b.address(at)
	for i := range addr {
		pdu = append(pdu, addr[5-i])
	}
	pdu = append(pdu, 2, 0x01, 0x06) // flags: general discoverable, no classic Bluetooth
	product := productOf(b.unit.Kit.Sensor)
	start := len(pdu)
	pdu = append(pdu, 0, 0x16)
	pdu = binary.LittleEndian.AppendUint16(pdu, serviceMi)
	pdu = binary.LittleEndian.AppendUint16(pdu, miEncrypted)
	pdu = binary.LittleEndian.AppendUint16(pdu, product)
	pdu = append(pdu, byte(b.counter))
	var nonce [12]byte // address, product, counter and its rest
	for i, x := range b.unit.Identity {
		nonce[5-i] = x
	}
	binary.LittleEndian.PutUint16(nonce[6:], product)
	binary.LittleEndian.PutUint32(nonce[8:], b.counter)
	sealed := seal(nil, b.bind, nonce[:], []byte{miEncryptAAD}, b.object, codeLength)
	split := len(sealed) - codeLength
	pdu = append(pdu, sealed[:split]...)
	pdu = append(pdu, nonce[9:12]...)
	pdu = append(pdu, sealed[split:]...)
	pdu[start] = byte(len(pdu) - start - 1)
	pdu[1] = byte(len(pdu) - 2)

	f := []byte{advChannels()[channel], byte(signal), 0xa1, 0} // noise of -95 dBm
	f = binary.LittleEndian.AppendUint32(f, accessAddress)
	f = binary.LittleEndian.AppendUint16(f, flagDewhitened|flagSignal|flagNoise|flagReference|flagCRCChecked|flagCRCOk)
	f = binary.LittleEndian.AppendUint32(f, accessAddress)
	crc := crc24(pdu)
	return append(append(f, pdu...), byte(crc), byte(crc>>8), byte(crc>>16))
}

// crc24 is the link layer's, as it is sent: the polynomial x^24+x^10+x^9+x^6+x^4+x^3+x+1 over bits from the least one.
func crc24(b []byte) uint32 {
	const reversedPoly, reversedInit = 0xda6000, 0xaaaaaa // of 0x00065b and crcInit
	crc := uint32(reversedInit)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ reversedPoly
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
