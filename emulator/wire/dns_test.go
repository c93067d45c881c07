package wire

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"glasshouse/emulator/wire/wiretest"
)

// hostName draws a valid name.
func hostName(t *rapid.T) string {
	labels := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?`), 1, 5).Draw(t, "labels")
	return strings.Join(labels, ".")
}

// A query and its answer are the bytes that miekg/dns packs, for a client and a server as the live world's.
func TestDNSIsPackedAsMiekgPacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host, id := hostName(t), rapid.Uint16().Draw(t, "id")
		q := new(dns.Msg).SetQuestion(dns.Fqdn(host), dns.TypeA)
		q.Id = id
		want, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendDNSQuery(nil, id, host); !bytes.Equal(got, want) {
			t.Errorf("a query is %x, want %x", got, want)
		}

		var addr netip.Addr
		ttl := rapid.Uint32().Draw(t, "ttl")
		a := new(dns.Msg).SetReply(q)
		a.RecursionAvailable = true
		if rapid.Bool().Draw(t, "exists") {
			addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
			a.Answer = append(a.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: addr.AsSlice(),
			})
		} else {
			a.Rcode = dns.RcodeNameError
		}
		if want, err = a.Pack(); err != nil {
			t.Fatal(err)
		}
		if got := AppendDNSAnswer([]byte("before"), id, host, addr, ttl); !bytes.Equal(got[6:], want) || string(got[:6]) != "before" {
			t.Errorf("an answer is %x, want %x", got, want)
		}
	})
}

// What is written is read as it was meant, and nothing of it once it is shorter, longer or another message's.
func TestDNSIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host, id := hostName(t), rapid.Uint16().Draw(t, "id")
		q := AppendDNSQuery(nil, id, host)
		if got, gotID, ok := ParseDNSQuery(q); !ok || got != host || gotID != id {
			t.Errorf("a query for %q, %d is read as one for %q, %d: %t", host, id, got, gotID, ok)
		}
		addr := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
		ttl := rapid.Uint32().Draw(t, "ttl")
		a := AppendDNSAnswer(nil, id, host, addr, ttl)
		if got, gotTTL, ok := ParseDNSAnswer(a, id); !ok || got != addr || gotTTL != ttl {
			t.Errorf("an answer of %s, %d is read as %s, %d: %t", addr, ttl, got, gotTTL, ok)
		}
		if _, _, ok := ParseDNSAnswer(a, id+1); ok {
			t.Error("another question's answer is taken")
		}
		if _, _, ok := ParseDNSAnswer(AppendDNSAnswer(nil, id, host, netip.Addr{}, ttl), id); ok {
			t.Error("a name that does not exist has an address")
		}
		for n := range q {
			if _, _, ok := ParseDNSQuery(q[:n]); ok {
				t.Errorf("%d of %d bytes are a query", n, len(q))
			}
		}
		for n := range a {
			if _, _, ok := ParseDNSAnswer(a[:n], id); ok {
				t.Errorf("%d of %d bytes are an answer", n, len(a))
			}
		}
		if _, _, ok := ParseDNSQuery(append(q, 0)); ok {
			t.Error("a query with a byte behind it is read")
		}
		if _, _, ok := ParseDNSQuery(a); ok {
			t.Error("an answer is read as a query")
		}
	})
}

func FuzzParseDNS(f *testing.F) {
	f.Add(AppendDNSQuery(nil, 1, "a.example.net"))
	f.Add(AppendDNSAnswer(nil, 1, "a.example.net", netip.AddrFrom4([4]byte{1, 2, 3, 4}), 60))
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if host, id, ok := ParseDNSQuery(b); ok && !bytes.Equal(AppendDNSQuery(nil, id, host), b) {
			t.Errorf("%x is read as a query for %q", b, host)
		}
		if len(b) > 1 {
			_, _, _ = ParseDNSAnswer(b, uint16(b[0])<<8|uint16(b[1]))
		}
	})
}

func TestPlainMessagesAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 4096)
	query := make([]byte, 0, NTPSize)
	r := wiretest.PCG(1)
	addr := netip.AddrFrom4([4]byte{198, 18, 0, 1})
	token := make([]byte, HTTPTokenSize)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendDNSQuery(buf, 1, "a.example.net")
		b = AppendDNSAnswer(b, 1, "a.example.net", addr, 60)
		query = AppendNTPQuery(query[:0], r)
		b = AppendNTPAnswer(b, query, 1e18, 1e18)
		b = AppendHTTPRequest(b, r, "a.example.net", token, 700)
		_, _ = AppendHTTPResponse(b, 700)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
