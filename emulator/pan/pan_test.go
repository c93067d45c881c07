package pan

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3610, section 8, packet vectors #1 and #3 (blocks of 16 and more), and #7 (a tag of 10 bytes).
func TestCCM(t *testing.T) {
	for _, v := range []struct {
		key, nonce, all, sealed string
		aad, tag                int
	}{
		{
			"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000003020100a0a1a2a3a4a5", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
			"588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0", 8, 8,
		},
		{
			"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000005040302a0a1a2a3a4a5", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
			"51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5", 8, 8,
		},
		{
			"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000009080706a0a1a2a3a4a5", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
			"0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c048c56602c97acbb7490", 8, 10,
		},
	} {
		all := unhex(t, v.all)
		got := seal(nil, newAES([16]byte(unhex(t, v.key))), unhex(t, v.nonce), all[:v.aad], all[v.aad:], v.tag)
		if want := unhex(t, v.sealed); !bytes.Equal(got, want) {
			t.Errorf("tag %d:\n%x\n%x", v.tag, got, want)
		}
	}
}

// Bluetooth Core, volume 3, part H, appendix D.7: ah.
func TestAddressHash(t *testing.T) {
	irk := [16]byte(unhex(t, "ec0234a357c8ad05341010a60a397d9b"))
	if got := ah(newAES(irk), [3]byte{0x70, 0x81, 0x94}); got != [3]byte{0x0d, 0xfb, 0xaa} {
		t.Errorf("%x", got)
	}
	if !Resolve(irk, [6]byte{0x70, 0x81, 0x94, 0x0d, 0xfb, 0xaa}) || Resolve(irk, [6]byte{0x70, 0x81, 0x95, 0x0d, 0xfb, 0xaa}) {
		t.Error("Resolve is wrong")
	}
}

// hub is a hub of the catalogue with its kits drawn.
func hub(t *testing.T, seed uint64) script.Specimen {
	t.Helper()
	p, err := catalogue.Load("xiaomi-hub")
	if err != nil {
		t.Fatal(err)
	}
	s := script.Specimen{Name: "xiaomi-hub", Profile: p, Seed: seed}
	s.Kits, s.PAN = script.DrawKits(p, seed)
	return s
}

type heard struct {
	radio profile.Radio
	at    int64
	frame []byte
}

// listen lives a hub and its kits.
func listen(s script.Specimen, duration int64, density float64) (all []heard, agenda []script.Planned) {
	a := New([]script.Specimen{s}, func(radio profile.Radio, at int64, frame []byte) { all = append(all, heard{radio, at, frame}) })
	script := script.Merge([]*script.Script{script.New(s, script.Options{Duration: duration, Density: density})})
	for p, ok := script.Next(); ok; p, ok = script.Next() {
		a.Advance(p.Activity.At - 250e6)
		a.Event(&p)
		agenda = append(agenda, p)
	}
	a.Advance(duration)
	return all, agenda
}

// Frames come in the order of their times; the same seed gives the same air, another one another.
func TestAirIsAFunction(t *testing.T) {
	const hour = int64(3600e9)
	one, _ := listen(hub(t, 1), hour, 5)
	two, _ := listen(hub(t, 1), hour, 5)
	if len(one) != len(two) || len(one) < 1000 {
		t.Fatalf("%d frames, %d frames", len(one), len(two))
	}
	last := int64(-1)
	for i := range one {
		if one[i].at != two[i].at || !bytes.Equal(one[i].frame, two[i].frame) {
			t.Fatalf("frame %d differs", i)
		}
		if one[i].at < last {
			t.Fatalf("frame %d at %d, after %d", i, one[i].at, last)
		}
		last = one[i].at
	}
	other, _ := listen(hub(t, 2), hour, 5)
	if len(other) == len(one) && bytes.Equal(other[0].frame, one[0].frame) {
		t.Error("another seed, the same air")
	}
}

// Each activity that a kit reported has its frame on the air before it: from the kit that the truth names.
func TestEventsAreOnTheAir(t *testing.T) {
	const hour = int64(3600e9)
	s := hub(t, 3)
	all, agenda := listen(s, 2*hour, 10)
	kits := make(map[string]*script.KitUnit)
	for i := range s.Kits {
		kits[s.Kits[i].Name] = &s.Kits[i]
	}
	seen := make(map[profile.Sensor]int)
	for _, p := range agenda {
		if p.Activity.Kit == "" {
			continue
		}
		u := kits[p.Activity.Kit]
		if u == nil {
			t.Fatalf("the script names %q", p.Activity.Kit)
		}
		found := false
		for _, x := range all {
			if x.at < p.Activity.At-LeadTime || x.at >= p.Activity.At+2*bleGap {
				continue
			}
			if u.Kit.Radio == profile.RadioZigbee {
				found = found || len(x.frame) > 20 && x.radio == u.Kit.Radio && uint16(x.frame[7])|uint16(x.frame[8])<<8 == u.NwkAddr
			} else if x.radio == u.Kit.Radio {
				found = found || Resolve(u.IRK, advertiser(x.frame))
			}
		}
		if !found {
			t.Errorf("%s of %s at %d is not on the air", p.Activity.Name, u.Name, p.Activity.At)
		}
		seen[u.Kit.Sensor]++
	}
	if len(seen) != 4 {
		t.Errorf("events of %v", seen)
	}
}

// advertiser returns the address of an advertisement with its pseudo-header.
func advertiser(frame []byte) (addr [6]byte) {
	for i := range addr {
		addr[i] = frame[10+4+2+5-i]
	}
	return addr
}

// Every advertisement comes from an address that exactly one kit's key resolves; a kit has a new one every 15 minutes.
func TestAddressesRotate(t *testing.T) {
	const hour = int64(3600e9)
	s := hub(t, 4)
	all, _ := listen(s, 2*hour, 1)
	from := make(map[string]map[[6]byte][2]int64)
	for _, x := range all {
		if x.radio != profile.RadioBLE {
			continue
		}
		addr, owners := advertiser(x.frame), 0
		for i := range s.Kits {
			u := &s.Kits[i]
			if u.Kit.Radio != profile.RadioBLE || !Resolve(u.IRK, addr) {
				continue
			}
			owners++
			if from[u.Name] == nil {
				from[u.Name] = make(map[[6]byte][2]int64)
			}
			span, ok := from[u.Name][addr]
			if !ok {
				span[0] = x.at
			}
			span[1] = x.at
			from[u.Name][addr] = span
		}
		if owners != 1 {
			t.Fatalf("%x is resolved by %d keys", addr, owners)
		}
	}
	if len(from) < 2 {
		t.Fatalf("advertisements of %d kits", len(from))
	}
	for name, addrs := range from {
		if len(addrs) < 8 || len(addrs) > 9 {
			t.Errorf("%s had %d addresses in two hours", name, len(addrs))
		}
		for addr, span := range addrs {
			if span[1]-span[0] > rotation {
				t.Errorf("%s kept %x for %d ns", name, addr, span[1]-span[0])
			}
		}
	}
}

// tshark computes the CRC of an advertisement itself where the capture does not vouch for it: it finds none wrong, and finds
// one that was made wrong.
func TestCRC(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("GLASSHOUSE_CI") != "" {
			t.Fatal("tshark is not installed")
		}
		t.Skip("tshark is not installed")
	}
	all, _ := listen(hub(t, 5), 600e9, 1)
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	for _, x := range []uint32{2 | 4<<16, 0, 0, 1 << 16, 256} {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	n := 0
	for _, x := range all {
		if x.radio != profile.RadioBLE || n == 50 {
			continue
		}
		n++
		frame := bytes.Clone(x.frame)
		frame[9] &^= (flagCRCChecked | flagCRCOk) >> 8
		if n == 50 {
			frame[len(frame)-1] ^= 1
		}
		for _, v := range []uint32{uint32(n), 0, uint32(len(frame)), uint32(len(frame))} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(b, frame...)
	}
	file := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", file, "-Y", "btle.crc.incorrect", "-T", "fields", "-e", "frame.number").Output()
	if err != nil || strings.TrimSpace(string(out)) != "50" {
		t.Errorf("wrong are %q, %v", out, err)
	}
}
