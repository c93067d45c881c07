package discovery

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/wire"
)

func TestAnswersAreForWhatIsAskedAndOffered(t *testing.T) {
	const cast, dial, mdns, ssdp = "_googlecast._tcp.local", "urn:dial-multiscreen-org:service:dial:1", profile.TransportMDNS, profile.TransportSSDP
	own, asker := netip.MustParseAddr("192.168.3.9"), netip.MustParseAddrPort("192.168.3.4:5353")
	spec := &script.Specimen{Seed: 7, MAC: [6]byte{2, 1, 1, 4, 5, 6}, Profile: &profile.Profile{Services: []profile.Service{
		{Name: "cast", Host: cast, Transport: mdns, Answers: true},
		{Name: "told", Host: "_hap._tcp.local", Transport: mdns},
		{Name: "dial", Host: dial, Transport: ssdp, Answers: true},
	}}}
	query := func(kind string) string { return string(wire.AppendMDNSQuery(nil, kind)) }
	search := func(target string) string { return string(wire.AppendSSDPSearch(nil, target)) }
	for _, c := range []struct {
		name  string
		by    profile.Transport
		heard string
		from  string
		want  string // service
	}{
		{"a question", mdns, query(cast), "", "cast"},
		{"in capitals", mdns, query("_GoogleCast._tcp.local"), "", "cast"},
		{"for what it only announces", mdns, query("_hap._tcp.local"), "", ""},
		{"for what it has not", mdns, query("_ipp._tcp.local"), "", ""},
		{"an answer", mdns, string(wire.AppendMDNSAnswer(nil, &wire.MDNSService{Kind: cast, Instance: "a", Host: "b", Port: 1, Text: "c", Addr: own})), "", ""},
		{"from another port", mdns, query(cast), "192.168.3.4:40000", ""},
		{"no message", mdns, "\x00\x01", "", ""},
		{"by the other group", profile.TransportMDNS6, query(cast), "", ""},
		{"a search", ssdp, search(dial), "192.168.3.4:40000", "dial"},
		{"for all", ssdp, search("ssdp:all"), "192.168.3.4:40000", "dial"},
		{"for another", ssdp, search("upnp:rootdevice"), "192.168.3.4:40000", ""},
		{"a notice", ssdp, string(wire.AppendSSDPNotify(nil, dial, "x", own)), "192.168.3.4:40000", ""},
		{"no search", ssdp, "M-SEARCH * HTTP/1.1\r\n", "", ""},
	} {
		from := asker
		if c.from != "" {
			from = netip.MustParseAddrPort(c.from)
		}
		all := Answers(c.by, []byte(c.heard), from, spec, own)
		if c.want == "" {
			if len(all) > 0 {
				t.Errorf("%s: %+v", c.name, all)
			}
			continue
		}
		if len(all) != 1 || all[0].Service != c.want {
			t.Errorf("%s: %+v, want %s", c.name, all, c.want)
			continue
		}
		a := all[0]
		if c.by == ssdp {
			if a.To != from || a.Within != 1e9 || !strings.HasPrefix(string(a.Payload), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(a.Payload), "\r\nST: "+dial+"\r\n") {
				t.Errorf("%s: %+v\n%s", c.name, a, a.Payload)
			}
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(a.Payload); err != nil || !m.Response || len(m.Answer) != 1 || m.Answer[0].Header().Name != cast+"." || a.To.Addr() != wire.GroupMDNS() || !a.Once {
			t.Errorf("%s: %v, %+v", c.name, err, a)
		}
	}
}

// Nothing that comes over the network upsets the reader.
func FuzzAnswers(f *testing.F) {
	f.Add(wire.AppendMDNSQuery(nil, "_a._tcp.local"))
	f.Add(wire.AppendSSDPSearch(nil, "ssdp:all"))
	f.Add([]byte("M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 999999999999999999999\r\n\r\n"))
	spec := &script.Specimen{Profile: &profile.Profile{Services: []profile.Service{
		{Name: "a", Host: "_a._tcp.local", Transport: profile.TransportMDNS, Answers: true},
		{Name: "b", Host: "upnp:rootdevice", Transport: profile.TransportSSDP, Answers: true},
	}}}
	own := netip.MustParseAddr("192.168.3.9")
	f.Fuzz(func(t *testing.T, heard []byte) {
		for _, by := range []profile.Transport{profile.TransportMDNS, profile.TransportSSDP} {
			for _, a := range Answers(by, heard, netip.AddrPortFrom(own, 5353), spec, own) {
				if a.After < 0 || a.Within < 0 || a.Within > 5e9 || len(a.Payload) == 0 {
					t.Fatalf("%+v", a)
				}
			}
		}
	})
}
