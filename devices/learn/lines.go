package learn

import (
	"fmt"
	"slices"
	"strings"
)

// Activity is a learned activity.
type Activity struct {
	Name    string `json:"name"`
	Service string `json:"service"`
	Op      string `json:"op"` // dialogue, reconnect, resolve, time-sync, ping
	Seen    int    `json:"seen"`
	Shape   string `json:"shape"` // sizes above TCP, UDP or TLS of one of them: >12 <34
	Rhythm  Rhythm `json:"rhythm"`
	Restart string `json:"restarted_by,omitempty"`
	items   []item
}

// most is how many shapes are learned of one service.
const most = 12

// line learns what is said on a lasting line: its log-in, how often it is opened anew, and each shape of dialogue.
func (l *learner) line(p *peer, s *Service) []Activity {
	var all, others []dialogue
	var starts []int64
	for _, k := range p.talks {
		if k.opened {
			starts = append(starts, k.start)
		}
		all = append(all, k.dialogues()...)
	}
	if p.proto == 6 {
		all = separate(all)
	}
	often := frequentOf(all)
	// What is said soon after a line was opened belongs to its opening, but for what is said all the time.
	openings := make(map[*talk][]dialogue)
	var order []*talk
	for _, d := range all {
		k := d.talk
		if p.proto == 6 && k.opened && (d.opening || d.at()-k.start < openingTime && !often.has(d.messages)) {
			if len(openings[k]) == 0 {
				order = append(order, k)
			}
			openings[k] = append(openings[k], d)
		} else {
			others = append(others, d)
		}
	}
	s.Level = levels(others)
	s.Latency, s.Replies = latency(others, l.rtt)
	var acts []Activity
	if p.proto == 6 {
		var told [][]dialogue
		for _, k := range order {
			told = append(told, openings[k])
		}
		acts = l.openings(s, told, starts)
	}
	cs := clusters(others)
	for i, c := range cs {
		if i >= most || len(c.members) < 2 {
			continue
		}
		c.paced = len(l.r.Stack.Pace) > 0
		items := c.script(s.over, l.rtt, l.r.Stack.Doze)
		items = p.fit(items, s.Lasting)
		if items == nil {
			continue
		}
		a := Activity{Op: "dialogue", Seen: len(c.members), Shape: sketch(c.members[0].messages, s.over), items: items}
		if n := largest(c.members[0].messages); p.proto == 17 && n > largestDatagram {
			l.doubt(p.name, "its datagrams of %d bytes are emulated with %d, which one frame carries", n, largestDatagram)
		}
		a.Rhythm = rhythmOf(c.gaps(p.proto == 6))
		if a.Rhythm.Period == 0 {
			a.Rhythm = rhythmOf(l.round(c.times()))
		}
		if len(starts) >= 4 {
			a.Rhythm.First = c.restarts(a.Rhythm.P50)
		}
		switch {
		case a.Rhythm.N == 0:
			continue
		case p.lan:
			a.Name = "notice"
		case len(c.members[0].messages) > exactShape:
			a.Name = "burst"
		case a.Rhythm.Period > 0:
			a.Name = "heartbeat"
		default:
			a.Name = "message"
		}
		for _, m := range c.members {
			l.used += len(m.messages)
		}
		acts = append(acts, a)
	}
	return acts
}

// sessions learns a service that has a connection for each thing that it does.
func (l *learner) sessions(p *peer, s *Service) []Activity {
	var ds []dialogue
	for _, k := range p.talks {
		ms := k.messages
		if s.over > 0 {
			ms = afterHandshake(ms)
		}
		if len(ms) == 0 {
			l.used += len(k.messages)
			continue
		}
		ds = append(ds, dialogue{talk: k, messages: ms})
	}
	if len(ds) < 2 {
		if len(ds) == 1 {
			l.doubt(p.name, "one connection only, of %d messages: left out", len(ds[0].messages))
		}
		return nil
	}
	s.Level = levels(ds)
	s.Latency, s.Replies = latency(ds, l.rtt)
	rhythm := rhythmOf(l.round((&cluster{members: ds}).times()))
	if rhythm.N == 0 {
		l.doubt(p.name, "%d connections, with holes in the recording between them: left out", len(ds))
		return nil
	}
	c := &cluster{members: ds, paced: len(l.r.Stack.Pace) > 0}
	items := c.script(s.over, l.rtt, l.r.Stack.Doze)
	if items = p.fit(items, false); items == nil {
		return nil
	}
	for _, d := range ds {
		l.used += len(d.talk.messages)
	}
	return []Activity{{Name: "session", Op: "dialogue", Seen: len(ds), Shape: sketch(ds[0].messages, s.over), items: items, Rhythm: rhythm}}
}

// fit makes a dialogue one that a profile can hold: a connection, or a UDP flow, begins with 16 bytes or more up; each datagram
// has 16 to 1472.
func (p *peer) fit(items []item, lasting bool) []item {
	if p.lan {
		items = slices.DeleteFunc(items, func(i item) bool { return !i.up && len(i.group) == 0 })
	}
	if len(items) == 0 {
		return nil
	}
	if p.proto == 17 {
		clip(items)
	}
	if p.proto == 6 && lasting {
		return items
	}
	first := items[0]
	for len(first.group) > 0 {
		first = first.group[0]
	}
	switch {
	case !first.up:
		items = append([]item{{up: true, size: [2]int{16, 16}, repeat: [2]int{1, 1}}}, items...)
	case len(items[0].group) == 0:
		items[0].size = [2]int{max(16, items[0].size[0]), max(16, items[0].size[1])}
	}
	return items
}

// largestDatagram is what a profile may have, bytes above UDP.
const largestDatagram = 1472

func largest(ms []message) (n int) {
	for _, m := range ms {
		n = max(n, m.size)
	}
	return n
}

func clip(items []item) {
	for i := range items {
		items[i].size = [2]int{min(max(16, items[i].size[0]), largestDatagram), min(max(16, items[i].size[1]), largestDatagram)}
		clip(items[i].group)
	}
}

// levelTime is how long an emulated far end keeps its level.
const levelTime = int64(3600e9)

// levels learns by how much the far end is slower in some hours than in the fastest, notes it on the dialogues and returns its
// quantiles; nil where fewer than ten hours have five replies each. An hour's level is
// the lag that a fifth of its replies stay below: what is late by itself is above.
func levels(ds []dialogue) []int64 {
	hours := make(map[int64][]int64)
	for _, d := range ds {
		for i := 1; i < len(d.messages); i++ {
			if d.messages[i-1].up && !d.messages[i].up {
				hours[d.at()/levelTime] = append(hours[d.at()/levelTime], d.messages[i].at-d.messages[i-1].end)
			}
		}
	}
	level := make(map[int64]int64)
	var all []int64
	for h, lags := range hours {
		if len(lags) >= 5 {
			lags = sorted(lags)
			level[h] = quantile(lags, 0.2)
			all = append(all, level[h])
		}
	}
	if len(all) < 10 {
		return nil
	}
	all = sorted(all)
	least := quantile(all, 0.05)
	for i := range ds {
		if v, ok := level[ds[i].at()/levelTime]; ok {
			ds[i].slow = max(v-least, 0)
		}
	}
	n := min(len(all)/2, 20)
	table := make([]int64, n+1)
	for i := range table {
		table[i] = min(max(quantile(all, min(float64(i)/float64(n), 0.98))-least, 0), longestWait)
	}
	return table
}

// latency returns how long the far end thinks before it answers, without the network's way and its hour's level: p10 and p90, and
// quantiles.
func latency(ds []dialogue, rtt int64) ([2]int64, []int64) {
	var lags []int64
	for _, d := range ds {
		for i := 1; i < len(d.messages); i++ {
			if d.messages[i-1].up && !d.messages[i].up {
				lags = append(lags, d.messages[i].at-d.messages[i-1].end-d.slow)
			}
		}
	}
	lags = sorted(lags)
	return turnWait(quantile(lags, 0.1), quantile(lags, 0.9), false, true, rtt), waitTable(lags, false, true, rtt, nil)
}

// sketch writes a dialogue for a reader.
func sketch(ms []message, over int) string {
	s := ""
	for i, m := range ms {
		if i == exactShape {
			return fmt.Sprintf("%s... %d messages", s, len(ms))
		}
		sign := "<"
		if m.up {
			sign = ">"
		}
		s += fmt.Sprintf("%s%d ", sign, app(m.size, over))
	}
	return s[:max(0, len(s)-1)]
}

// opened is how long after a look-up a connection may follow for the look-up to be its own.
const opened = int64(5e9)

// lookups learns the DNS queries that no connection follows: the emulated hosts make the others by themselves.
func (l *learner) lookups() {
	if len(l.r.Services) == 0 {
		return
	}
	var opens []int64
	for i := range l.t.Packets {
		if p := &l.t.Packets[i]; p.Proto == 6 && p.Up && p.Flags&(flagSYN|flagACK) == flagSYN {
			opens = append(opens, p.At)
		}
	}
	var at []int64
	for _, q := range l.t.Lookups {
		i, _ := slices.BinarySearch(opens, q.At)
		if i < len(opens) && opens[i]-q.At < opened || len(at) > 0 && q.At-at[len(at)-1] < 100e6 {
			continue
		}
		at = append(at, q.At)
	}
	for _, s := range l.r.Services {
		if s.Transport != "lan-udp" {
			l.timer("name-lookup", "resolve", s.Name, at)
			return
		}
	}
}

// times learns the NTP queries.
func (l *learner) times() {
	if len(l.t.Times) < 2 {
		return
	}
	name := l.name("clock")
	host := "pool.ntp.org"
	if strings.Contains(host, l.o.Device) {
		host = placeholder("time", l.o.Device)
	}
	if l.timer("time-sync", "time-sync", name, l.t.Times) {
		l.r.Services = append(l.r.Services, Service{Name: name, Host: host, Named: true, Port: 123, Transport: "ntp", Cloud: "ntp-pool"})
	}
}

// echoes learns the device's pings.
func (l *learner) echoes() {
	var at []int64
	size := 0
	for i := range l.t.Packets {
		if p := &l.t.Packets[i]; p.Echo && p.Up && !private(p.Remote) {
			at, size = append(at, p.At), p.Payload
		}
	}
	if len(at) < 2 {
		return
	}
	name := l.name("reach")
	if l.timer("reach", "ping", name, at) {
		a := &l.r.Activities[len(l.r.Activities)-1]
		a.items = []item{{up: true, size: [2]int{max(16, size), max(16, size)}, repeat: [2]int{1, 1}}}
		l.r.Services = append(l.r.Services, Service{Name: name, Host: placeholder("echo", l.o.Device), Transport: "icmp", Cloud: "unknown-echo"})
	}
}

// round returns the gaps between times. Where they keep no period the trace is closed to a ring: the time before the first and
// after the last is a gap, too, or what came in a short hour of a long capture would be taken for what always comes.
func (l *learner) round(at []int64) []int64 {
	var gaps []int64
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i]-at[i-1])
	}
	if rhythmOf(gaps).Period == 0 || len(gaps) < 3 {
		gaps = append(gaps, l.t.Span()-(at[len(at)-1]-at[0]))
	}
	return gaps
}

func (l *learner) timer(name, op, service string, at []int64) bool {
	if len(at) < 2 {
		return false
	}
	gaps := l.round(at)
	rhythm := rhythmOf(gaps)
	if rhythm.N == 0 {
		return false
	}
	a := Activity{Name: l.name(name), Op: op, Service: service, Seen: len(at), Rhythm: rhythm}
	if len(gaps) < 3 {
		l.doubt(a.Name, "seen %d times only: its rhythm is a guess", len(at))
	}
	l.r.Activities = append(l.r.Activities, a)
	return true
}
