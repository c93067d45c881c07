package profile

import (
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

const maxGroups = 3 // depth of groups within groups

// items reads a list of messages, groups and streams.
func (r *reader) items(nodes []strictyaml.Node, svc *Service, op Op, depth int) []Item {
	items := make([]Item, 0, len(nodes))
	for i, n := range nodes {
		it := r.item(n, svc, op, depth)
		items = append(items, it)
		switch {
		case op == OpPing && it.Dir != Up:
			n.Errorf("up: bytes of echo data", "a ping's messages are its requests")
		case svc.Host == HostBroadcast && it.Dir == Down:
			n.Errorf("up", "nobody answers a broadcast")
		case svc.Web() && len(it.Group) == 0:
			want := [2]int8{Up, Down}[i%2]
			if len(it.Variants) > 0 || it.Stream != nil || it.Repeat.Max > 1 || it.Dir != want || i == len(nodes)-1 && want == Up {
				n.Errorf("up, down, up, down, ... in each list", "HTTP is requests and their responses")
			}
		}
	}
	return items
}

func (r *reader) item(n strictyaml.Node, svc *Service, op Op, depth int) (it Item) {
	m := n.Map("up", "down", "up_frame", "down_frame", "wait", "repeat", "messages", "variants", "stream")
	it.Repeat = draw.Range{Min: 1, Max: 1}
	if m.Has("repeat") {
		it.Repeat = integers(m.Opt("repeat"), 1, 100_000)
	}
	what := ""
	for _, key := range []string{"up", "down", "up_frame", "down_frame", "messages", "variants", "stream"} {
		if !m.Has(key) {
			continue
		}
		if what != "" {
			m.Opt(key).Errorf("one of up, down, up_frame, down_frame, messages, variants, stream", "%q beside %q", key, what)
			continue
		}
		what = key
	}
	if m.Has("wait") {
		it.HasWait = true
		it.Waits, it.WaitNext = series(m.Opt("wait"), func(n strictyaml.Node) (q []int64) {
			it.Wait, q = spread(n, 0, maxWait)
			return q
		})
	}
	switch what {
	case "":
		if n.Given() {
			n.Errorf("one of up, down, up_frame, down_frame, messages, variants, stream", "no message")
		}
	case "messages":
		if depth >= maxGroups || it.HasWait {
			m.Opt("messages").Errorf("", "a group has no wait of its own, and groups nest up to %d deep", maxGroups)
			return it
		}
		it.Group = r.items(m.Opt("messages").List(), svc, op, depth+1)
		if len(it.Group) == 0 {
			m.Opt("messages").Errorf("one message or more", "an empty group")
		}
	case "variants":
		it.Variants = r.variants(m.Opt("variants"), svc, op, depth)
		if it.HasWait {
			m.Opt("wait").Errorf("", "variants have no wait of their own: their messages do")
		}
	case "stream":
		it.Stream = r.stream(m.Opt("stream"), svc)
		it.Dir = it.Stream.Dir
	default:
		it.Dir = Up
		if what == "down" || what == "down_frame" {
			it.Dir = Down
		}
		lo, hi := sizes(svc, it.Dir)
		if what == "up_frame" || what == "down_frame" {
			if svc.Transport == TransportH2 || svc.Transport == TransportQUIC {
				m.Opt(what).Errorf("up, down", "a message of %s shares its frames with others", svc.Transport)
			}
			over := int64(svc.Overhead(r.p.Stack))
			f := integers(m.Opt(what), lo+over, 14+1500)
			it.Size = draw.Range{Min: max(0, f.Min-over), Max: max(0, f.Max-over)}
		} else {
			it.Size = integers(m.Opt(what), lo, hi)
		}
		if svc.Transport == TransportMQTT && it.Size != (draw.Range{Min: MQTTPing, Max: MQTTPing}) && it.Size.Max > 0 && it.Size.Min < MQTTPublish {
			m.Opt(what).Errorf("2 for a ping, 5 or more for a PUBLISH", "no MQTT message has %d bytes", max(it.Size.Min, MQTTPing+1))
		}
	}
	return it
}

// variants reads the ways in which part of a dialogue may go. A variant may be empty: then nothing is said.
func (r *reader) variants(n strictyaml.Node, svc *Service, op Op, depth int) []Variant {
	nodes := n.List()
	if n.Given() && len(nodes) < 2 {
		n.Errorf("two variants or more", "%d variants", len(nodes))
	}
	if depth >= maxGroups {
		n.Errorf("", "groups and variants nest up to %d deep", maxGroups)
		return nil
	}
	var out []Variant
	for _, x := range nodes {
		m := x.Map("weight", "messages")
		v := Variant{Weight: 1}
		if m.Has("weight") {
			v.Weight = max(m.Opt("weight").Int(1, 1_000_000), 1)
		}
		v.Messages = r.items(m.Need("messages").List(), svc, op, depth+1)
		out = append(out, v)
	}
	return out
}

// sizes returns how many bytes one message of the service can have.
func sizes(svc *Service, dir int8) (lo, hi int64) {
	switch svc.Transport {
	case TransportUDP, TransportLAN, TransportICMP:
		return MinOpening, maxDatagram
	case TransportHTTP:
		if dir == Up {
			return minRequest, 64 << 10
		}
		return minResponse, maxMessage
	case TransportH2:
		if dir == Up {
			return 1, maxUpload
		}
	case TransportMQTT:
		return MQTTPing, maxMessage
	case TransportTLS12, TransportTLS13, TransportTCP, TransportApp, TransportNTP, TransportQUIC, TransportMDNS, TransportMDNS6, TransportSSDP, TransportARP:
	}
	return 1, maxMessage
}

func (r *reader) stream(n strictyaml.Node, svc *Service) *Stream {
	m := n.Map("dir", "fps", "every", "size", "key_every", "key_size", "duration", "chunk")
	x := &Stream{Dir: Up, Every: int64(time.Second)} // kept only where an error is reported
	if m.Need("dir").Enum("up", "down") == "down" {
		x.Dir = Down
	}
	switch {
	case m.Has("fps") && m.Has("every"):
		m.Opt("every").Errorf("one of fps, every", `"every" beside "fps"`)
	case m.Has("every"):
		x.Every = m.Opt("every").Duration(time.Millisecond, time.Minute)
	default:
		if fps := m.Need("fps").Int(1, 240); fps > 0 {
			x.Every = int64(time.Second) / fps
		}
	}
	lo, hi := sizes(svc, x.Dir)
	if svc.Transport == TransportMQTT {
		lo = MQTTPublish
	}
	x.Size = integers(m.Need("size"), lo, maxMessage)
	if m.Has("key_every") || m.Has("key_size") {
		x.KeyEvery = m.Need("key_every").Int(1, 100_000)
		x.KeySize = integers(m.Need("key_size"), lo, maxMessage)
	}
	x.Duration = durations(m.Need("duration"), time.Millisecond, 4*time.Hour)
	switch {
	case m.Has("chunk"):
		x.Chunk = integers(m.Opt("chunk"), max(lo, 2*MinOpening), hi)
	case svc.Connected():
		x.Chunk = draw.Range{Min: maxMessage, Max: maxMessage}
	default:
		x.Chunk = draw.Range{Min: 1200, Max: 1200}
	}
	return x
}
