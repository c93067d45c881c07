package virtual_test

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/need"
	"glasshouse/testbed/testbedtest"
)

// What tshark makes of captures of the virtual world, with every checksum looked at, streams put together and QUIC's Initials
// decrypted. Of HTTP/2 it sees that TLS agrees on it: no program here tells its keys.

// dissectFields are what tshark is asked for, in the order of a dissected frame.
var dissectFields = []string{
	"frame.number", "frame.protocols", "_ws.expert.severity", "_ws.expert.message",
	"ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status", "igmp.checksum.status",
	"tcp.stream", "tcp.srcport", "tcp.seq", "tcp.nxtseq", "tcp.len", "tcp.flags",
	"tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order",
	"tcp.analysis.lost_segment", "tcp.analysis.duplicate_ack", "tcp.analysis.ack_lost_segment",
	"tls.handshake.type", "tls.handshake.extensions_alpn_str", "quic.long.packet_type", "quic.frame_type",
	"dns.flags.response", "dns.flags.rcode", "dns.response_to", "ntp.flags.mode", "http.request.method", "http.request_in", "mqtt.msgtype",
}

// dissected is what tshark says of a frame: all values of a field are joined by bars.
type dissected []string

func (d dissected) get(field string) string { return d[slices.Index(dissectFields, field)] }
func (d dissected) is(field string) bool    { return d.get(field) != "" }

func (d dissected) number(field string) int64 {
	s, _, _ := strings.Cut(d.get(field), "|")
	n, _ := strconv.ParseInt(s, 0, 64)
	return n
}

func (d dissected) any(fields ...string) bool {
	return slices.ContainsFunc(fields, d.is)
}

// again tells that tshark takes the frame for bytes that were sent before, or should have come before.
func (d dissected) again() bool {
	return d.any("tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order")
}

// dissect has tshark look at all frames of a capture.
func dissect(t *testing.T, d *dataset.Dataset, file string, each func(dissected)) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		need.Skip(t, "tshark is not installed")
	}
	args := append([]string{"-n", "-r", filepath.Join(d.HomePath(0), file), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"}, testbedtest.Strictly()...)
	for _, f := range dissectFields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != len(dissectFields) {
			t.Fatalf("tshark says %q", lines.Text())
		}
		each(f)
	}
	if err := cmd.Wait(); err != nil || lines.Err() != nil {
		t.Fatalf("tshark: %v, %v\n%s", err, lines.Err(), stderr.String())
	}
}

// TestVirtualDissects looks at hours behind NAPT and through the tunnel; the long form looks at a day.
func TestVirtualDissects(t *testing.T) {
	duration := time.Hour
	if need.Longest() {
		duration = 24 * time.Hour
	}
	for _, path := range []string{"noisy-napt", "noisy-vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, path), Seed: 2, Duration: duration, TimeScale: 3})
			wan, lan := dissectBoth(t, d)
			home := []string{
				"tls", "dns", "ntp", "http", "quic", "arp", "dhcp", "handshake 1", "handshake 2", "alpn h2", "alpn h3", "dns response 0",
				"dns response 1", "ntp mode 3", "ntp mode 4", "http GET", "quic initial", "retransmissions",
			}
			lan.want(home...)
			if path == "noisy-vpn" {
				if wan.seen["wg"] != wan.seen["frames"] {
					t.Errorf("%d of %d frames are WireGuard's", wan.seen["wg"], wan.seen["frames"])
				}
				return
			}
			wan.want(slices.DeleteFunc(home, func(s string) bool { return s == "arp" || s == "dhcp" })...)
			wan.want("gaps")
		})
	}
}

// everyTransport is a home of one device that uses all transports, on a line that loses two packets in a hundred.
const everyTransport = `name: every-transport
about: A device of tests on a bad line.
start: 2026-01-05T00:00:00Z
duration: 10m
warm_up: 1s
path: PATH
devices: [{device: DEVICE}]
household: {density: 1}
wan: {up_rate: 10mbit, down_rate: 50mbit, queue: 125kB, delay: 8ms, jitter: 1ms, loss: 2, unsolicited_per_hour: 60}
wifi: {delay: 1ms, jitter: 2ms, loss: 1, power_save: true}
`

// TestVirtualTransportsDissect looks at every transport that a profile can have, under loss.
func TestVirtualTransportsDissect(t *testing.T) {
	device, err := filepath.Abs(filepath.Join("testdata", "every-transport.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	duration := 10 * time.Minute
	if need.Longest() {
		duration = 12 * time.Hour
	}
	for _, path := range []string{"napt", "vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "home.yaml")
			if err := os.WriteFile(file, []byte(strings.NewReplacer("PATH", path, "DEVICE", device).Replace(everyTransport)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, file), Seed: 3, Duration: duration})
			lostOnTheWay(t, d, 0.02)
			wan, lan := dissectBoth(t, d)
			all := []string{
				"tls", "dns", "http", "quic", "alpn h2", "alpn h3", "http GET", "quic initial", "retransmissions",
				"first seen when sent again", "gaps", "mqtt 1", "mqtt 2", "mqtt 3", "mqtt 12", "mqtt 13",
			}
			lan.want(all...)
			if path == "napt" {
				wan.want(all...)
			}
		})
	}
}

// lostOnTheWay checks that packets for the home that its line lost before the tap, which no row tells of, are counted.
func lostOnTheWay(t *testing.T, d *dataset.Dataset, loss float64) {
	t.Helper()
	lost, came := float64(d.Manifest.Fidelity.Drops["wan_down_path"]), 0.0
	for _, r := range testbedtest.Rows(t, d) {
		if r.Dir < 0 {
			came++
		}
	}
	sent := lost + came
	if far := math.Abs(lost - loss*sent); far > 5*math.Sqrt(sent*loss*(1-loss)) {
		t.Errorf("%v of %v packets for the home are counted as lost on the way: not %v of them", lost, sent, loss)
	}
}

// dissectBoth judges both captures of a home.
func dissectBoth(t *testing.T, d *dataset.Dataset) (wan, lan *witness) {
	t.Helper()
	rows := testbedtest.Rows(t, d)
	carries := make(map[int64]*dataset.Row, len(rows))
	for i := range rows {
		if f := rows[i].LANFrame; f > 0 {
			carries[f] = &rows[i]
		}
	}
	lan = newWitness(t, dataset.FileLAN, func(frame int64) *dataset.Row { return carries[frame] })
	lan.sealed = d.Manifest.Path == "vpn"
	wan = newWitness(t, dataset.FileWAN, func(frame int64) *dataset.Row { return &rows[frame-1] })
	for _, w := range []*witness{wan, lan} {
		dissect(t, d, w.file, w.Frame)
		w.end()
		t.Logf("%s: %v", w.file, w.seen)
	}
	return wan, lan
}
