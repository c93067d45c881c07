package live_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// What a home says on its LAN alone is alike in both worlds, frame by frame: what the device's profile asks for, and what its
// kernel does by itself. Analysers read it without a fault.
func TestLANTalkIsAlike(t *testing.T) {
	testbedtest.NeedLive(t)
	sc := testbedtest.Load(t, filepath.Join("testdata", "chatter-home.yaml"))
	var said [2]map[string]int
	for i, world := range []string{"live", "virtual"} {
		_, d := testbedtest.Run(t, run.Options{Scenario: sc, Seed: 3, Duration: 18 * time.Second, World: world})
		if bad := testbedtest.Tshark(t, d, dataset.FileLAN, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
			"_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || icmpv6.checksum.status == 0 || igmp.checksum.status == 0"); len(bad) > 0 {
			t.Errorf("%s: %d bad frames: %s", world, len(bad), bad[0])
		}
		said[i] = make(map[string]int)
		for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, "-Y", "arp || ipv6 || igmp || mdns || ssdp", "-T", "fields", "-E", "separator= ",
			"-e", "eth.dst", "-e", "frame.len", "-e", "_ws.col.Protocol", "-e", "ip.ttl", "-e", "ipv6.hlim") {
			said[i][line]++
		}
	}
	// A kernel joins IPv6 groups one by one as programs and addresses come, so how its reports are put together is the moment's.
	groups := func(m map[string]int) (kinds []string, reports int) {
		for k, n := range m {
			if strings.Contains(k, "33:33:00:00:00:16") {
				reports += n
				continue
			}
			kinds = append(kinds, k)
		}
		slices.Sort(kinds)
		return kinds, reports
	}
	live, liveReports := groups(said[0])
	virtual, virtualReports := groups(said[1])
	if !slices.Equal(live, virtual) {
		t.Errorf("live %q\nvirtual %q", live, virtual)
	}
	if liveReports < 3 || virtualReports < 3 {
		t.Errorf("%d and %d reports of IPv6 groups", liveReports, virtualReports)
	}
	for _, k := range live {
		if a, b := said[0][k], said[1][k]; max(a-b, b-a) > 2 {
			t.Errorf("%s: %d live, %d virtual", k, a, b)
		}
	}
	for _, want := range []string{"ARP", "MDNS", "SSDP", "IGMPv3", "ICMPv6"} {
		if !slices.ContainsFunc(live, func(k string) bool { return strings.Contains(k, want) }) {
			t.Errorf("no %s in %q", want, live)
		}
	}
}
