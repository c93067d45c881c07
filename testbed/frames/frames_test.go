package frames_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/framestest"
)

func save(tb testing.TB, b []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "x")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// seen is what is compared of a packet.
type seen struct {
	at     int64
	length int
	src    netip.Addr
	proto  uint8
}

func read(tb testing.TB, path string) (all []seen, r *frames.Reader, err error) {
	tb.Helper()
	if r, err = frames.Open(path); err != nil {
		return nil, nil, err
	}
	defer r.Close()
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, r, nil
		}
		if err != nil {
			return all, r, err
		}
		if len(f.IP) > f.Length {
			tb.Fatalf("%d bytes of a packet of %d", len(f.IP), f.Length)
		}
		all = append(all, seen{f.At, f.Length, f.Src, f.Proto})
	}
}

func plain(unit int64) []seen {
	var out []seen
	for _, p := range framestest.Plain() {
		h, _ := frames.Parse(p.IP, len(p.IP))
		out = append(out, seen{p.At - p.At%unit, len(p.IP), h.Src, h.Proto})
	}
	return out
}

// kinds are files of many kinds, each with the packets of Plain.
func kinds() map[string]struct {
	file []byte
	unit int64 // ns that times are rounded to
} {
	type kind = struct {
		file []byte
		unit int64
	}
	packets, little := framestest.Plain(), binary.LittleEndian
	all := map[string]kind{
		"µs":                {framestest.Classic(little, framestest.Micro, 1, framestest.Frames(1, packets)), 1000},
		"ns, big-endian":    {framestest.Classic(binary.BigEndian, framestest.Nano, 1, framestest.Frames(1, packets)), 1},
		"µs, big-endian":    {framestest.Classic(binary.BigEndian, framestest.Micro, 1, framestest.Frames(1, packets)), 1000},
		"modified tcpdump":  {framestest.Classic(little, framestest.Modified, 1, framestest.Frames(1, packets)), 1000},
		"modified, big":     {framestest.Classic(binary.BigEndian, framestest.Modified, 1, framestest.Frames(1, packets)), 1000},
		"gzip":              {framestest.Gzip(framestest.Pcap(1, packets)), 1},
		"gzip, two members": {append(framestest.Gzip(framestest.Pcap(1, packets[:9])), framestest.Gzip(framestest.Pcap(1, packets[9:])[24:])...), 1},
	}
	for _, link := range []uint16{framestest.LinkNull, framestest.LinkLoop, framestest.LinkPPP, framestest.LinkRaw, framestest.LinkSLL, framestest.LinkSLL2, 12, 228} {
		all[fmt.Sprintf("link type %d", link)] = kind{framestest.Pcap(link, packets), 1}
	}
	for name, wrap := range map[string]func(framestest.Packet) []byte{
		"VLAN": func(p framestest.Packet) []byte { return append(framestest.Ethernet(p, 0x8100, 7, 0x0800), p.IP...) },
		"QinQ": func(p framestest.Packet) []byte {
			return append(framestest.Ethernet(p, 0x88a8, 1, 0x8100, 7, 0x0800), p.IP...)
		},
		"9100": func(p framestest.Packet) []byte {
			return append(framestest.Ethernet(p, 0x9100, 1, 0x8100, 7, 0x0800), p.IP...)
		},
		"SNAP":   framestest.SNAP,
		"FCS":    func(p framestest.Packet) []byte { return append(framestest.Wrap(1, p), 1, 2, 3, 4) },
		"padded": func(p framestest.Packet) []byte { return append(framestest.Wrap(1, p), make([]byte, 40)...) },
		"PPPoE": func(p framestest.Packet) []byte {
			return append(framestest.Ethernet(p, 0x8864, 0x1100, 1, uint16(len(p.IP)+2), 0x21), p.IP...)
		},
		"PPPoE in a VLAN": func(p framestest.Packet) []byte {
			return append(framestest.Ethernet(p, 0x8100, 7, 0x8864, 0x1100, 1, uint16(len(p.IP)+2), 0x21), p.IP...)
		},
	} {
		var fs []framestest.Frame
		for _, p := range packets {
			fs = append(fs, framestest.Frame{At: p.At, Data: wrap(p)})
		}
		all[name] = kind{framestest.Classic(little, framestest.Nano, 1, fs), 1}
	}
	for name, order := range map[string]binary.AppendByteOrder{"pcapng": little, "pcapng, big-endian": binary.BigEndian} {
		w := framestest.NewNG(order)
		w.Interface(framestest.Interface{Link: 1, Resolution: 9})
		w.Interface(framestest.Interface{Link: framestest.LinkRaw, Resolution: 9, Offset: 1600000000})
		w.Interface(framestest.Interface{Link: framestest.LinkSLL, Resolution: 9, Offset: -3600})
		w.Block(0x80000001, []byte{1, 2, 3, 4}) // unknown: passed over
		for i, p := range packets {
			w.Packet(i%3, framestest.Frame{At: p.At, Data: framestest.Wrap([]uint16{1, framestest.LinkRaw, framestest.LinkSLL}[i%3], p)})
		}
		all[name] = kind{w.Bytes(), 1}
	}
	w := framestest.NewNG(little) // interfaces of different resolutions
	w.Interface(framestest.Interface{Link: 1})
	w.Interface(framestest.Interface{Link: 1, Resolution: 6, Offset: 60})
	for i, p := range packets {
		w.Packet(i%2, framestest.Frame{At: p.At, Data: framestest.Wrap(1, p)})
	}
	all["pcapng, µs"] = kind{w.Bytes(), 1000}
	return all
}

// One packet is the same packet, whatever file and link it was captured on.
func TestKindsOfCaptures(t *testing.T) {
	for name, k := range kinds() {
		got, r, err := read(t, save(t, k.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := plain(k.unit); !slices.Equal(got, want) {
			t.Errorf("%s: %d packets\n%v\nwant\n%v", name, len(got), got, want)
		}
		if r.LeftOut().Total() != 0 || r.Frames() != 63 || len(r.Notes()) > 0 {
			t.Errorf("%s: %d frames, left out %v, %q", name, r.Frames(), r.LeftOut(), r.Notes())
		}
	}
}

// Every frame is a packet, or is counted with its reason.
func TestWhatIsLeftOut(t *testing.T) {
	packets := framestest.Plain()
	p := packets[0]
	w := framestest.NewNG(binary.LittleEndian)
	w.Interface(framestest.Interface{Link: 1, Resolution: 9})
	w.Interface(framestest.Interface{Link: framestest.LinkUSB, Resolution: 9})
	at := func(id int, b []byte, length int) {
		w.Packet(id, framestest.Frame{At: p.At, Data: b, Length: length})
	}
	at(0, framestest.Wrap(1, p), 0)
	at(1, make([]byte, 64), 0)
	at(0, append(framestest.Ethernet(p, 0x0806), make([]byte, 28)...), 0)
	at(0, framestest.Ethernet(p, 0x0800)[:9], 0)
	at(0, framestest.Wrap(1, p)[:20], 58)                                                  // too little was kept
	at(0, framestest.Wrap(1, p)[:14+30], 0)                                                // shorter than it says
	at(0, append(framestest.Ethernet(p, 0x0800), append([]byte{0x41}, p.IP[1:]...)...), 0) // a header of four bytes
	w.Simple(framestest.Wrap(1, p))
	whole := w.Bytes()
	got, r, err := read(t, save(t, append(whole, 6, 0, 0, 0, 60)))
	if err != nil || len(got) != 1 {
		t.Fatalf("%d packets, %v", len(got), err)
	}
	want := frames.LeftOut{frames.LinkType: 1, frames.NotIP: 2, frames.HeaderCut: 1, frames.Malformed: 2, frames.NoTime: 1, frames.CutOff: 1}
	if fmt.Sprint(r.LeftOut()) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", r.LeftOut(), want)
	}
	if n := int64(len(got)) + r.LeftOut().Total() - 1; n != r.Frames() {
		t.Errorf("%d of %d frames are accounted for", n, r.Frames())
	}
	if s := r.LeftOut().String(); !strings.HasPrefix(s, "2 malformed, 2 not IP, 1 ") {
		t.Error(s)
	}
	if notes := r.Notes(); len(notes) != 1 || !strings.Contains(notes[0], fmt.Sprintf("cut at byte %d", len(whole))) {
		t.Errorf("%q", notes)
	}
}

func TestUnusableCaptures(t *testing.T) {
	packets := framestest.Plain()
	w := framestest.NewNG(binary.LittleEndian)
	w.Interface(framestest.Interface{Link: 1})
	for _, p := range packets {
		w.Simple(framestest.Wrap(1, p))
	}
	bad := framestest.Pcap(1, packets)
	copy(bad[24+8:], []byte{0xff, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":       {nil, "shorter than a header"},
		"text":        {[]byte("frame,time\n1,2\n"), "neither pcapng nor pcap"},
		"no frame":    {framestest.Pcap(1, nil), "holds no frame"},
		"no times":    {w.Bytes(), "no times"},
		"USB":         {framestest.Classic(binary.LittleEndian, framestest.Nano, framestest.LinkUSB, framestest.Frames(1, packets)), "link type"},
		"zstd":        {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0}, "gzip"},
		"damaged":     {bad, "a frame of 4294967295 bytes"},
		"broken gzip": {append(framestest.Gzip(framestest.Pcap(1, packets))[:200], 1), ""},
	} {
		path := save(t, c.file)
		_, _, err := read(t, path)
		input, ok := errors.AsType[*frames.InputError](err)
		if c.want == "" { // used up to where it breaks
			if err != nil && !ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !ok || !strings.Contains(err.Error(), c.want) || input.Path != path {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := frames.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A capture that is cut anywhere, packed or not, gives all packets that are whole.
func TestCutAnywhere(t *testing.T) {
	whole := framestest.Pcap(1, framestest.Plain())
	for n := 24 + 16 + 58; n < len(whole); n += 13 {
		got, r, err := read(t, save(t, whole[:n]))
		want := plain(1)
		if err != nil || !slices.Equal(got, want[:len(got)]) || len(got) < (n-24)/(16+174) {
			t.Fatalf("cut at %d: %d packets, %v", n, len(got), err)
		}
		if r.LeftOut().Total() > 1 {
			t.Fatalf("cut at %d: %v", n, r.LeftOut())
		}
	}
	packed := framestest.Gzip(whole)
	if got, r, err := read(t, save(t, packed[:len(packed)-40])); err != nil || len(got) == 0 || r.LeftOut()[frames.CutOff] != 1 {
		t.Errorf("a cut gzip file: %d packets, %v", len(got), err)
	}
}

func TestNotesOnTheClock(t *testing.T) {
	packets := framestest.Plain()
	for i := 30; i < len(packets); i++ {
		packets[i].At -= 3600e9
	}
	if _, r, err := read(t, save(t, framestest.Pcap(1, packets))); err != nil || !strings.Contains(fmt.Sprint(r.Notes()), "times go back 1 times, by 5") {
		t.Errorf("%v %q", err, r.Notes())
	}
	for i := range packets {
		packets[i].At = int64(i) * 1e9
	}
	if _, r, err := read(t, save(t, framestest.Pcap(1, packets))); err != nil || !strings.Contains(fmt.Sprint(r.Notes()), "1970") {
		t.Errorf("%v %q", err, r.Notes())
	}
}

func TestSumIsTheFiles(t *testing.T) {
	path := save(t, framestest.Gzip(framestest.Pcap(1, framestest.Plain())))
	sum := func(read int) string {
		r, err := frames.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for range read {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := r.Sum()
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	if a, b := sum(3), sum(63); a != b || len(a) != 64 {
		t.Errorf("%s and %s", a, b)
	}
}
