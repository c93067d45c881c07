package live

import (
	"slices"
	"testing"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire/secure"
)

// quicSizes returns the sizes of an event's datagrams to and from port 443, by role.
func quicSizes(frames []frame, event int64) map[packet.Role][2][]int {
	sizes := make(map[packet.Role][2][]int)
	for role := packet.RoleUnknown; int(role) < len(packet.RoleNames()); role++ {
		if up, down := payloads(frames, event, role, 443); len(up)+len(down) > 0 {
			sizes[role] = [2][]int{up, down}
		}
	}
	return sizes
}

// stream returns the datagrams that carry so many bytes of a stream from an offset on, as the virtual world makes them.
func stream(dir int8, offset, size int) (list []int) {
	over := secure.QUICOverhead(dir == profile.Up)
	for size > 0 {
		head := 2
		switch {
		case offset >= 1<<14:
			head += 4
		case offset >= 1<<6:
			head += 2
		case offset > 0:
			head++
		}
		n := min(size, secure.QUICDatagram-over-head)
		list = append(list, over+head+n)
		offset, size = offset+n, size-n
	}
	return list
}

// QUIC's datagrams are those that package wire and the virtual world make: handshake, data and goodbye. Where a datagram of the
// handshake is read before the next one has come it is acknowledged by itself, and the first data may ride on the handshake's
// last datagram; data may carry an acknowledgement.
func TestQUICIsTheModels(t *testing.T) {
	p := everything()
	h := newHome(t, 1420, p)
	host := h.host(0, p)
	for k, exchange := range [][]int{{500, 200}, {16, 20_000, 3000, 40}, {60_000, 9000}} {
		var messages []script.Message
		for i, size := range exchange {
			m := up(size)
			if i%2 == 1 {
				m = down(size)
				m.Wait = 60e6 // an acknowledgement goes by itself
			}
			messages = append(messages, m)
		}
		h.perform(host, h.say("swift", "swift", true, messages...), int64(k))
		got := quicSizes(h.frames(), int64(k))
		var want [2][]int
		var offset [2]int
		for i, size := range exchange {
			dir := [2]int8{profile.Up, profile.Down}[i%2]
			want[i%2] = append(want[i%2], stream(dir, offset[i%2], size)...)
			offset[i%2] += size
		}
		for end, data := range got[packet.RoleData] {
			if extra := sum(data) - sum(want[end]); max(extra, -extra) > secure.QUICDatagram+100 || max(len(data)-len(want[end]), len(want[end])-len(data)) > 2 {
				t.Errorf("%v: data %v, want %v", exchange, data, want[end])
			}
		}
		shake := got[packet.RoleTLSHandshake]
		done := secure.QUICServerDone + secure.QUICOverhead(false)
		if n := len(shake[1]); len(shake[0]) < 2 || !slices.Equal(shake[0][:2], []int{secure.QUICDatagram, secure.QUICDatagram}) || n < 3 ||
			shake[1][0] != secure.QUICDatagram || shake[1][n-1] < done || shake[1][n-1] > done+4 {
			t.Errorf("the handshake is %v", shake)
		}
		if bye := got[packet.RoleClose]; !slices.Equal(bye[0], []int{secure.QUICOverhead(true) + 3}) || len(bye[1]) > 0 {
			t.Errorf("the goodbye is %v", bye)
		}
		for role, sizes := range got {
			switch role {
			case packet.RoleData, packet.RoleTLSHandshake, packet.RoleClose, packet.RoleAck:
			default:
				t.Errorf("%v: %s %v", exchange, role, sizes)
			}
			for _, n := range slices.Concat(sizes[0], sizes[1]) {
				if n > secure.QUICDatagram {
					t.Errorf("a datagram of %d bytes", n)
				}
			}
		}
	}
}
