package nat

import (
	"net/netip"

	"glasshouse/emulator/packet"
)

// fragments knows where fragmented packets go: later fragments carry no ports and follow their first. One that comes
// before its first is dropped, as RFC 4787 REQ-14 allows. Not modelled: two devices that use one IP ID towards one remote
// at one time, whose fragments a WAN observer could not tell apart either.
type fragments struct {
	m     map[fragmentKey]fragment
	swept int64 // when what had expired was last thrown out
}

type fragmentKey struct {
	src, dst [4]byte
	proto    uint8
	id       uint16
}

type fragment struct {
	lan     netip.AddrPort
	remote  netip.AddrPort
	expires int64
}

// fragmentLimit bounds the memory that a flood of first fragments takes; their later fragments are then dropped.
const fragmentLimit = 4096

// fragmentLife is how long later fragments may follow, ns: RFC 791's and Linux's 30 s.
const fragmentLife = int64(30e9)

func (f *fragments) put(now int64, k fragmentKey, x fragment) {
	if now-f.swept >= 1e9 || len(f.m) >= fragmentLimit && now > f.swept {
		f.swept = now
		for old, g := range f.m {
			if g.expires <= now {
				delete(f.m, old)
			}
		}
	}
	if len(f.m) >= fragmentLimit {
		return
	}
	x.expires = now + fragmentLife
	f.m[k] = x
}

// later translates a fragment without ports.
func (n *NAPT) later(now int64, h packet.IPv4, k fragmentKey, up bool) Result {
	f, ok := n.fragments.m[k]
	if !ok || f.expires <= now {
		return Result{Verdict: Unsupported, Proto: k.proto}
	}
	if up {
		rewriteAddress(h, n.wan, true)
	} else {
		rewriteAddress(h, packet.Number4(f.lan.Addr()), false)
	}
	return Result{Proto: k.proto, LAN: f.lan, Remote: f.remote}
}
