package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sort"

	"glasshouse/emulator/packet"
)

// VerifyResult says what Verify found.
type VerifyResult struct {
	OK       bool     `json:"ok"`
	Checked  int64    `json:"checked"` // packets
	Problems []string `json:"problems"`
	Repaired []string `json:"repaired,omitempty"`
}

// maxProblems bounds the list: a broken file would fill it.
const maxProblems = 50

func (v *VerifyResult) problem(format string, args ...any) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Verify checks a data set against itself: every hash; row i against frame i; times; labels against the vocabulary and the
// events; LAN frames; and that no truth is in the WAN capture. With repair, what a killed run left behind is put in order first.
func Verify(dir string, repair bool) (*VerifyResult, error) {
	d, err := Open(dir)
	if err != nil {
		return nil, err
	}
	v := &VerifyResult{Problems: []string{}}
	if d.Manifest.State == StateRunning {
		if !repair {
			v.problem("the run did not end, or still goes on: --repair puts what it left in order")
			return v, nil
		}
		if err := d.repair(v); err != nil {
			return nil, err
		}
	}
	d.verifyHashes(v)
	totals := make(map[string]int64)
	for _, h := range d.Manifest.Homes {
		if err := d.verifyHome(h, v, totals); err != nil {
			v.problem("%v", err)
		}
	}
	c := d.Manifest.Counts
	for name, want := range map[string]int64{"wan": c.WAN, "up": c.Up, "down": c.Down} {
		if totals[name] != want {
			v.problem("the manifest counts %d packets %s, the files hold %d", want, name, totals[name])
		}
	}
	sort.Strings(v.Problems)
	v.OK = len(v.Problems) == 0
	return v, nil
}

func (d *Dataset) verifyHashes(v *VerifyResult) {
	have, err := hashAll(d.Dir)
	if err != nil {
		v.problem("%v", err)
		return
	}
	for path, want := range d.Manifest.Files {
		if got, ok := have[path]; !ok {
			v.problem("%s: missing", path)
		} else if got != want {
			v.problem("%s: sha256 differs from the manifest's", path)
		}
		delete(have, path)
	}
	for path := range have {
		v.problem("%s: not in the manifest", path)
	}
}

func (d *Dataset) verifyHome(h HomeInfo, v *VerifyResult, totals map[string]int64) error {
	dir := d.HomePath(h.Home)
	events := make(map[int64]bool)
	if err := ReadEvents(filepath.Join(dir, FileEvents), func(e *Event) error {
		if events[e.Event] {
			v.problem("%s: event %d is there twice", FileEvents, e.Event)
		}
		events[e.Event] = true
		return nil
	}); err != nil {
		return err
	}
	lan, err := lanDigests(filepath.Join(dir, FileLAN))
	if err != nil {
		return err
	}
	wan, err := OpenCapture(filepath.Join(dir, FileWAN))
	if err != nil {
		return err
	}
	defer wan.Close()
	secrets := d.secrets(h)
	parser := NewParser()
	used := make(map[int64]bool)
	macs := make(map[string]string)
	for _, u := range h.Devices {
		macs[u.Unit] = u.MAC
	}
	last, n := int64(-1), int64(0)
	err = ReadRows(filepath.Join(dir, FilePackets), func(r *Row) error {
		n++
		f, err := wan.Read()
		if err != nil {
			return fmt.Errorf("row %d has no frame: %w", n, err)
		}
		want := parser.Observe(f.TsNs, r.Dir, f.Data)
		want.Frame, want.Length = n, int32(f.Length)
		if len(f.Data) < f.Length { // a snapshot: what lies beyond it cannot be checked
			want.PayloadLength, want.AppProto = r.PayloadLength, r.AppProto
		}
		if r.Observation != want {
			v.problem("row %d is %+v, its frame shows %+v", n, r.Observation, want)
		}
		if r.TsNs <= last {
			v.problem("row %d is not after row %d in time", n, n-1)
		}
		last = r.TsNs
		d.verifyLabel(r, v, events)
		if r.LANFrame != 0 {
			if used[r.LANFrame] {
				v.problem("row %d: LAN frame %d carries another packet already", n, r.LANFrame)
			}
			used[r.LANFrame] = true
			if r.LANFrame > int64(len(lan)) {
				v.problem("row %d: there is no LAN frame %d", n, r.LANFrame)
			} else {
				d.verifyCarrier(r, f, lan[r.LANFrame-1], macs[r.Unit], v)
			}
		}
		for _, s := range secrets {
			if bytes.Contains(f.Data, s) {
				v.problem("frame %d of %s says %q", n, FileWAN, s)
			}
		}
		totals["wan"]++
		if r.Dir > 0 {
			totals["up"]++
		} else {
			totals["down"]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.Checked += n
	if _, err := wan.Read(); !errors.Is(err, io.EOF) {
		v.problem("%s: more frames than rows", HomeDir(h.Home))
	}
	if h.Packets != n {
		v.problem("%s: the manifest counts %d packets, the file holds %d", HomeDir(h.Home), h.Packets, n)
	}
	return nil
}

// verifyCarrier compares a row with the LAN frame that is said to carry it: the frame is of the device's own interface, and
// holds the same packet, or one of the size that is inside the tunnel's.
func (d *Dataset) verifyCarrier(r *Row, f Frame, lan lanFrame, mac string, v *VerifyResult) {
	station := lan.src
	if r.Dir < 0 {
		station = lan.dst
	}
	if got := net.HardwareAddr(station[:]).String(); got != mac {
		v.problem("row %d: labelled %s (%s), but LAN frame %d is of %s", r.Frame, r.Unit, mac, r.LANFrame, got)
	}
	switch {
	case d.Manifest.Path == "napt" && len(f.Data) == f.Length && lan.payload != payloadOf(f.Data):
		v.problem("row %d: LAN frame %d does not carry this packet", r.Frame, r.LANFrame)
	case d.Manifest.Path == "vpn" && f.Length != EthernetHeader+tunnelSize(lan.size):
		v.problem("row %d: LAN frame %d holds %d bytes of IP, which a packet of %d does not carry", r.Frame, r.LANFrame, lan.size, f.Length)
	}
}

// tunnelSize returns the bytes of the IPv4 packet that carries one of n bytes inside WireGuard: padded to 16, but not beyond
// the tunnel's MTU of 1420.
func tunnelSize(n int) int { return 20 + 8 + 32 + min((n+15)&^15, 1420) }

func (d *Dataset) verifyLabel(r *Row, v *VerifyResult, events map[int64]bool) {
	for column, value := range map[string]string{
		"label_device": r.Device, "label_unit": r.Unit, "label_class": r.Class, "label_kind": r.Kind,
		"label_category": r.Category, "label_activity": r.Activity, "label_role": r.Role,
	} {
		if !slices.Contains(d.Manifest.Vocabulary[column], value) {
			v.problem("row %d: %s is %q, which is not in the vocabulary", r.Frame, column, value)
		}
	}
	if r.Event != packet.EventNone && !events[r.Event] {
		v.problem("row %d: there is no event %d", r.Frame, r.Event)
	}
}

// secrets are the words that must not be seen on the WAN: the names of devices, units and of what they do.
func (d *Dataset) secrets(h HomeInfo) [][]byte {
	words := make(map[string]bool)
	for _, u := range h.Devices {
		words[u.Name], words[u.Unit], words[u.MAC] = true, true, true
	}
	for _, a := range d.Manifest.Vocabulary["label_activity"] {
		if len(a) >= 8 { // a shorter word may come up by chance
			words[a] = true
		}
	}
	var out [][]byte
	for w := range words {
		out = append(out, []byte(w))
	}
	return out
}

// lanFrame is what is compared of a LAN frame.
type lanFrame struct {
	src, dst [6]byte
	size     int // of its IPv4 packet, bytes
	payload  payloadID
}

// lanDigests returns what is compared of each LAN frame.
func lanDigests(path string) ([]lanFrame, error) {
	r, err := OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []lanFrame
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		l := lanFrame{payload: payloadOf(f.Data)}
		if len(f.Data) >= EthernetHeader+20 {
			l.dst, l.src = [6]byte(f.Data[:6]), [6]byte(f.Data[6:12])
			l.size = int(binary.BigEndian.Uint16(f.Data[EthernetHeader+2:]))
		}
		out = append(out, l)
	}
}

// payloadID tells packets apart by what NAPT leaves alone.
type payloadID struct {
	proto uint8
	size  int
	sum   uint64
}

func payloadOf(frame []byte) payloadID {
	if len(frame) < EthernetHeader+20 || frame[12] != 8 || frame[13] != 0 {
		return payloadID{}
	}
	ip := frame[EthernetHeader:]
	ihl := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ihl < 20 || total < ihl || total > len(ip) {
		return payloadID{}
	}
	l4 := ip[ihl:total]
	id := payloadID{proto: ip[9], size: len(l4)}
	switch {
	case ip[9] == 6 && len(l4) >= 20: // sequence and acknowledgement numbers, flags, window, payload
		id.sum = fnv(fnv(fnvBasis, l4[4:16]), l4[18:])
	case ip[9] == 17 && len(l4) >= 8:
		id.sum = fnv(fnvBasis, l4[8:])
	case ip[9] == 1 && len(l4) >= 8 && (l4[0] == 0 || l4[0] == 8):
		id.sum = fnv(fnvBasis, l4[6:])
	}
	return id
}

const fnvBasis = uint64(14695981039346656037)

func fnv(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
