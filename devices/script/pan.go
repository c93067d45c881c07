package script

import (
	"encoding/hex"
	"fmt"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// KitUnit is one physical kit of a hub, as drawn. All in it is truth: the air shows NwkAddr, and addresses that IRK resolves.
type KitUnit struct {
	Name     string       // "motion-sensor", "motion-sensor-2": unique within its hub
	Kit      *profile.Kit // read-only
	Seed     uint64       // of its own times and readings
	EUI64    [8]byte      // Zigbee: as printed, the vendor's part first
	NwkAddr  uint16       // Zigbee: the 16-bit address that it got when it joined
	Identity [6]byte      // BLE: its public address, which it never shows
	IRK      [16]byte     // BLE: resolves its private addresses; the most significant byte first, as ah() takes it
	BindKey  [16]byte     // BLE: of its advertisements' content
}

// PAN is a hub's own network.
type PAN struct {
	EUI64      [8]byte // the coordinator's; its NwkAddr is 0
	PANID      uint16
	Channel    uint8    // IEEE 802.15.4, 11 to 26
	NetworkKey [16]byte // of all that Zigbee sends
}

// zigbeeChannels are those between Wi-Fi's 1, 6 and 11, and beside them.
func zigbeeChannels() []uint8 { return []uint8{11, 15, 20, 25} }

// DrawKits draws the kits of a hub and its network from the hub's seed; nothing for a device that is no hub.
func DrawKits(p *profile.Profile, seed uint64) ([]KitUnit, *PAN) {
	if !p.HasKits() {
		return nil, nil
	}
	d := draw.New(seed, "pan")
	channels := zigbeeChannels()
	pan := &PAN{
		EUI64: eui64(d, p.OUI), PANID: uint16(1 + d.N(0xfffe)), Channel: channels[d.N(int64(len(channels)))], NetworkKey: key(d),
	}
	taken := map[uint16]bool{0: true}
	var units []KitUnit
	for i := range p.Kits {
		k := &p.Kits[i]
		n := draw.New(seed, "kits:"+k.Name).In(k.Units)
		for j := int64(1); j <= n; j++ {
			name := k.Name
			if j > 1 {
				name = fmt.Sprintf("%s-%d", k.Name, j)
			}
			units = append(units, drawKit(k, name, seed, taken))
		}
	}
	return units, pan
}

func drawKit(k *profile.Kit, name string, seed uint64, taken map[uint16]bool) KitUnit {
	d := draw.New(seed, "kit:"+name)
	u := KitUnit{Name: name, Kit: k, Seed: d.Uint64()}
	if k.Radio == profile.RadioBLE {
		m := d.Uint64()
		u.Identity = [6]byte{k.OUI[0], k.OUI[1], k.OUI[2], byte(m >> 16), byte(m >> 8), byte(m)}
		u.IRK, u.BindKey = key(d), key(d)
		return u
	}
	u.EUI64 = eui64(d, k.OUI)
	for taken[u.NwkAddr] { // Zigbee PRO: stochastic, below the broadcast addresses
		u.NwkAddr = uint16(1 + d.N(0xfff7))
	}
	taken[u.NwkAddr] = true
	return u
}

func key(d *draw.Stream) (k [16]byte) {
	for i := 0; i < len(k); i += 8 {
		x := d.Uint64()
		for j := range 8 {
			k[i+j] = byte(x >> (8 * j))
		}
	}
	return k
}

func eui64(d *draw.Stream, oui [3]byte) [8]byte {
	x := d.Uint64()
	return [8]byte{oui[0], oui[1], oui[2], byte(x >> 32), byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}
}

// Describe returns what is to be known of the kit, for the manifest.
func (u *KitUnit) Describe() map[string]any {
	m := map[string]any{"kit": u.Kit.Name, "radio": string(u.Kit.Radio), "sensor": string(u.Kit.Sensor)}
	if u.Kit.Radio == profile.RadioBLE {
		m["identity"], m["irk"], m["bind_key"] = hex.EncodeToString(u.Identity[:]), hex.EncodeToString(u.IRK[:]), hex.EncodeToString(u.BindKey[:])
	} else {
		m["eui64"], m["nwk_addr"] = hex.EncodeToString(u.EUI64[:]), fmt.Sprintf("0x%04x", u.NwkAddr)
	}
	return m
}

// Describe returns what is to be known of the network, for the manifest.
func (p *PAN) Describe() map[string]any {
	return map[string]any{
		"eui64": hex.EncodeToString(p.EUI64[:]), "pan_id": fmt.Sprintf("0x%04x", p.PANID), "channel": p.Channel,
		"network_key": hex.EncodeToString(p.NetworkKey[:]),
	}
}
