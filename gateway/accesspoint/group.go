package accesspoint

import "glasshouse/emulator/packet"

// groups are the frames in the air that several stations hear, by who hears them.
type groups struct {
	members [][]int32
	free    []int32
}

// take returns an empty group's number.
func (g *groups) take() int32 {
	if n := len(g.free); n > 0 {
		k := g.free[n-1]
		g.free = g.free[:n-1]
		return k
	}
	g.members = append(g.members, nil)
	return int32(len(g.members) - 1)
}

func (g *groups) give(k int32) {
	g.members[k] = g.members[k][:0]
	g.free = append(g.free, k)
}

// flood sends a frame to all stations but the one it is from; -1 = none. It is in the air once for those that listen and once,
// after the next beacon, for those that doze. One with measured sleep, or with a frame on its way that is later, gets its own.
func (a *AccessPoint) flood(frame []byte, from int) {
	now := a.c.Clock.Now()
	if a.ideal {
		for i := range a.c.Stations {
			if i != from {
				a.toStation(&packet.Packet{Data: a.c.Pool.Copy(frame), At: now}, 0, a.c.Stations[i].MAC)
			}
		}
		return
	}
	a.mu.Lock()
	awake, dozing := a.groups.take(), a.groups.take()
	soon, later := now+a.airTime(), int64(0)
	if a.c.Medium.Beacon > 0 {
		later = a.beacon(now) + a.airTime()
	}
	for i := range a.c.Stations {
		if i == from {
			continue
		}
		if a.lostInAir() {
			a.dropped.Air++
			continue
		}
		group, at := awake, soon
		if a.dozes(i, now) {
			group, at = dozing, later
		}
		if len(a.c.Stations[i].Doze) > 1 || a.lastDn[i] > at {
			a.down.SendRow(&packet.Packet{Data: a.c.Pool.Copy(frame)}, a.arrival(i, now), int64(i))
			continue
		}
		a.heard(i, at)
		a.groups.members[group] = append(a.groups.members[group], int32(i))
	}
	a.launch(frame, awake, soon)
	a.launch(frame, dozing, later)
	a.mu.Unlock()
}

// launch puts a group's frame into the air. a.mu is held.
func (a *AccessPoint) launch(frame []byte, group int32, at int64) {
	if len(a.groups.members[group]) == 0 {
		a.groups.give(group)
		return
	}
	a.down.SendRow(&packet.Packet{Data: a.c.Pool.Copy(frame)}, at, int64(-1-group))
}

// deliverGroup hands a frame to all that hear it.
func (a *AccessPoint) deliverGroup(p *packet.Packet) {
	group, whole := int32(-1-p.Lineage.Row), p.Data
	a.mu.Lock()
	members := a.groups.members[group]
	a.mu.Unlock()
	for k, i := range members {
		frame := whole
		if k+1 < len(members) {
			frame = a.c.Pool.Copy(frame)
		}
		a.c.Stations[i].Deliver(frame)
	}
	a.mu.Lock()
	a.groups.give(group)
	a.mu.Unlock()
}
