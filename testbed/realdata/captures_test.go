package realdata_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/framestest"
	"glasshouse/testbed/realdata"
)

const (
	start = framestest.Start
	byMAC = `mac: "02:00:00:00:00:10"`
)

// list writes captures and a list of them: each entry is a file's name, a device, and whose packets.
func list(t *testing.T, together bool, files map[string][]byte, entries ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "home: try\ntogether: %v\ncaptures:\n", together)
	for _, e := range entries {
		text.WriteString("  - {" + e + "}\n")
	}
	file := filepath.Join(dir, "try.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func sorted(packets ...[]framestest.Packet) []framestest.Packet {
	all := slices.Concat(packets...)
	slices.SortStableFunc(all, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	return all
}

// What a capture is odd in is mended, or is told: the dataset is valid, and every frame is a row or is counted.
func TestImportOddCaptures(t *testing.T) {
	datagrams := framestest.NewFlow().Datagrams(start, 10e9, 20, 100, 48)
	copies := slices.Clone(datagrams)
	for i := range copies {
		copies[i].At += 4000
	}
	six := framestest.NewFlow()
	six.Near, six.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
	local := framestest.NewFlow()
	local.Far = netip.MustParseAddr("192.168.50.1")
	other := framestest.NewFlow()
	other.MAC = [6]byte{2, 0, 0, 0, 0, 0x22}
	neighbour := framestest.NewFlow()
	neighbour.Near = netip.MustParseAddr("192.168.50.11")
	var pieces []framestest.Packet
	for _, p := range framestest.NewFlow().Datagrams(start, 10e9, 20, 3000, 48) {
		pieces = append(pieces, framestest.Fragments(p, 1480)...)
	}
	const plug = "file: x.pcap, device: tplink-plug, "
	for _, c := range []struct {
		name    string
		packets []framestest.Packet
		link    uint16
		entry   string
		rows    int64 // behind NAPT
		note    string
		left    frames.LeftOut
	}{
		{"plain", framestest.Plain(), 1, plug + byMAC, 63, "", nil},
		{"by IP", framestest.Plain(), 1, plug + "ip: 192.168.50.10", 63, "", nil},
		{"raw, by IP", framestest.Plain(), framestest.LinkRaw, plug + "ip: 192.168.50.10", 63, "", nil},
		{"short MAC", framestest.Plain(), 1, plug + `mac: "2:0:0:0:0:10"`, 63, "", nil},
		{"cooked", framestest.Plain(), framestest.LinkSLL, plug + byMAC, 63, "", nil},
		{"mirrored", sorted(datagrams, copies), 1, plug + byMAC, 40, "mirrored twice", frames.LeftOut{frames.Copy: 40}},
		{"dual stack", sorted(datagrams, six.Datagrams(start+3e9, 10e9, 20, 200, 90)), 1, plug + byMAC, 80, "", nil},
		{"dual stack, by IP", sorted(datagrams, six.Datagrams(start+3e9, 10e9, 20, 200, 90)), 1, plug + "ip: 192.168.50.10", 40, "", frames.LeftOut{frames.IPv6: 40}},
		{
			"others", sorted(datagrams, local.Datagrams(start+1e9, 10e9, 20, 10, 10), other.Datagrams(start+2e9, 10e9, 20, 10, 10)), 1, plug + byMAC,
			40, "",
			frames.LeftOut{frames.StaysLocal: 40, frames.OtherDevice: 40},
		},
		{"a repeater", sorted(datagrams, neighbour.Datagrams(start+1e6, 10e9, 20, 222, 48)), 1, plug + byMAC, 80, "2 IPv4 addresses at once", nil},
		{"a lease", append(slices.Clone(datagrams), other.Datagrams(start+300e9, 10e9, 20, 10, 10)...), 1, plug + "ip: 192.168.50.10", 80, "2 MAC addresses", nil},
		{"fragments", pieces, 1, plug + byMAC, 80, "", nil},
	} {
		for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
			t.Run(fmt.Sprintf("%s/%s", c.name, path), func(t *testing.T) {
				file := list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(c.link, c.packets)}, c.entry)
				r, d := imported(t, file, realdata.ImportOptions{Path: path})
				if n := r.Devices["tplink-plug"]; n < c.rows || path == scenarios.PathNAPT && n != c.rows {
					t.Errorf("%d rows, want %d", n, c.rows)
				}
				if fmt.Sprint(r.LeftOut) != fmt.Sprint(c.left) && r.LeftOut.Total()+c.left.Total() > 0 {
					t.Errorf("left out %v, want %v", r.LeftOut, c.left)
				}
				if n := c.rows + r.LeftOut.Total(); n != int64(len(c.packets)) {
					t.Errorf("%d of %d frames are accounted for", n, len(c.packets))
				}
				if all := strings.Join(r.Notes, "\n"); !strings.Contains(all, c.note) || c.note == "" && all != "" {
					t.Errorf("notes %q, want %q", all, c.note)
				}
				if mac := d.Manifest.Homes[0].Devices[0].MAC; mac != "02:00:00:00:00:10" && c.link != framestest.LinkRaw {
					t.Errorf("MAC %q", mac)
				}
			})
		}
	}
}

// IPv6 passes the gateway as it is; a later fragment shows no port.
func TestImportedRows(t *testing.T) {
	six := framestest.NewFlow()
	six.Near, six.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
	packets := append(six.Datagrams(start, 10e9, 2, 100, 48), framestest.Fragments(framestest.NewFlow().UDP(start+60e9, true, 3000), 1480)...)
	_, d := imported(t, list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(1, packets)}, "file: x.pcap, device: tplink-plug, "+byMAC), realdata.ImportOptions{Path: scenarios.PathNAPT})
	all, _ := rows(t, d)
	for i, r := range all {
		switch {
		case r.Unit != "tplink-plug" || r.Role != "data":
			t.Errorf("row %d is %s of %s", i, r.Role, r.Unit)
		case i < 4 && (r.RemoteAddr != "2001:67c:1::80" || r.LocalPort != 40000 || r.RemotePort != 8883 || r.IPProto != 17):
			t.Errorf("row %d: %+v", i, r.Observation)
		case i > 4 && (r.LocalPort != 0 || r.RemotePort != 0):
			t.Errorf("row %d shows ports: %+v", i, r.Observation)
		}
	}
	if len(all) != 7 {
		t.Errorf("%d rows", len(all))
	}
}

// Frames that are not in the order of time are put in order: the home starts with the earliest, and lasts to the latest.
func TestImportPutsInOrder(t *testing.T) {
	packets := framestest.Plain()
	earliest, latest := packets[33].At-3600e9, packets[32].At
	for i := 33; i < len(packets); i++ {
		packets[i].At -= 3600e9
	}
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		r, d := imported(t, list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(1, packets)}, "file: x.pcap, device: tplink-plug, "+byMAC), realdata.ImportOptions{Path: path})
		all, _ := rows(t, d)
		if d.Manifest.StartNs != earliest || d.Manifest.DurationNs != latest-earliest+1 {
			t.Errorf("%s: from %d for %d ns, want %d for %d", path, d.Manifest.StartNs, d.Manifest.DurationNs, earliest, latest-earliest+1)
		}
		if all[0].TsNs < earliest || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "times go back") {
			t.Errorf("%s: the first row is at %d, %q", path, all[0].TsNs-earliest, r.Notes)
		}
	}
}

// Several files of one device are one unit with one port.
func TestImportRotated(t *testing.T) {
	packets := framestest.Plain()
	files := map[string][]byte{"1.pcap": framestest.Pcap(1, packets[:30]), "2.pcap.gz": framestest.Gzip(framestest.Pcap(1, packets[30:]))}
	for _, together := range []bool{true, false} {
		r, d := imported(t, list(t, together, files, "file: 1.pcap, device: echo-dot, "+byMAC, "file: 2.pcap.gz, device: echo-dot, "+byMAC), realdata.ImportOptions{Path: scenarios.PathNAPT})
		all, units := rows(t, d)
		ports := make(map[uint16]bool)
		for i, row := range all {
			ports[row.LocalPort] = true
			if row.TsNs != packets[i].At {
				t.Fatalf("row %d is %d ns late", i, row.TsNs-packets[i].At)
			}
		}
		if len(units) != 1 || len(ports) != 1 || r.Packets != 63 || len(d.Manifest.Homes[0].Devices) != 1 {
			t.Errorf("together %v: %d units, %d ports, %d packets", together, len(units), len(ports), r.Packets)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	ng := framestest.NewNG(binary.LittleEndian)
	ng.Interface(framestest.Interface{Link: 1})
	for _, p := range framestest.Plain() {
		ng.Simple(framestest.Wrap(1, p))
	}
	files := map[string][]byte{"x.pcap": framestest.Pcap(1, framestest.Plain()), "text": []byte("no capture"), "simple": ng.Bytes()}
	const plug = "file: x.pcap, device: tplink-plug, "
	for _, c := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"one station, two devices", []string{plug + byMAC, "file: x.pcap, device: echo-dot, " + byMAC}, "cannot be echo-dot too"},
		{"one capture twice", []string{plug + byMAC, plug + byMAC}, "is listed already"},
		{"by MAC and by IP", []string{plug + byMAC, plug + "ip: 192.168.50.10"}, "claim the same packet"},
		{"no capture", []string{"file: text, device: tplink-plug, " + byMAC}, "neither pcapng nor pcap"},
		{"no times", []string{"file: simple, device: tplink-plug, " + byMAC}, "no times"},
	} {
		file := list(t, false, files, c.entries...)
		h, err := realdata.Load(file, "")
		out := filepath.Join(t.TempDir(), "out")
		if err == nil {
			_, err = realdata.Import(t.Context(), realdata.ImportOptions{Home: h, Path: scenarios.PathNAPT, Out: out})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something is left: %v", c.name, err)
		}
	}
}

// What a network card was still to cut, or had joined, is cut as the link carries it.
func TestImportCutsSuperFrames(t *testing.T) {
	f := framestest.NewFlow()
	packets := f.Open(start)
	for i := range int64(5) {
		packets = append(packets, f.TCP(start+10e9+i*10e9, true, 120, 0x18), f.TCP(start+10e9+i*10e9+20e6, false, 64000, 0x18))
	}
	for _, missing := range []bool{false, true} {
		if missing {
			for i := range packets {
				if len(packets[i].IP) > 1500 {
					binary.BigEndian.PutUint16(packets[i].IP[2:], 0)
				}
			}
		}
		_, d := imported(t, list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(1, packets)}, "file: x.pcap, device: tplink-plug, "+byMAC), realdata.ImportOptions{Path: scenarios.PathNAPT})
		all, _ := rows(t, d)
		data := 0
		for _, r := range all {
			data += int(r.PayloadLength)
			if r.Length > 1514 || r.PayloadLength > 1460 {
				t.Errorf("row %d has %d bytes", r.Frame, r.Length)
			}
		}
		if data != 5*64120 || len(all) != 3+5*(1+44) {
			t.Errorf("%d bytes in %d rows", data, len(all))
		}
	}
}

// A capture that begins at full rate has more packets than wait for WireGuard's handshake: they are lost as WireGuard loses them.
func TestImportBeginsAtFullRate(t *testing.T) {
	f := framestest.NewFlow()
	var packets []framestest.Packet
	for i := range int64(400) {
		packets = append(packets, f.TCP(start+i*125e3, true, 1300, 0x10))
	}
	r, _ := imported(t, list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(1, packets)}, "file: x.pcap, device: tplink-plug, "+byMAC), realdata.ImportOptions{Path: scenarios.PathVPN})
	lost := r.LeftOut["tunnel_queue_full"]
	if lost == 0 || r.Devices["tplink-plug"]+lost != 400 {
		t.Errorf("%d rows, %v", r.Devices["tplink-plug"], r.LeftOut)
	}
}

// More packets than fit a run in memory are sorted on disk.
func TestImportManyPackets(t *testing.T) {
	f := framestest.NewFlow()
	const n = 100_000
	var packets []framestest.Packet
	for i := range int64(n) {
		packets = append(packets, f.UDP(start+(i*7919%n)*1e6, i%3 > 0, 10))
	}
	slices.Reverse(packets)
	r, d := imported(t, list(t, false, map[string][]byte{"x.pcap": framestest.Pcap(1, packets)}, "file: x.pcap, device: tplink-plug, "+byMAC), realdata.ImportOptions{Path: scenarios.PathNAPT})
	last, k := int64(0), 0
	if err := d.Rows(func(_ int, row *dataset.Row) error {
		if row.TsNs != start+int64(k)*1e6 || row.TsNs <= last {
			return fmt.Errorf("row %d is at %d", k, row.TsNs-start)
		}
		last, k = row.TsNs, k+1
		return nil
	}); err != nil || k != n || r.Packets != n {
		t.Errorf("%d rows, %v", k, err)
	}
}
