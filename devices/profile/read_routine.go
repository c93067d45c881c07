package profile

import (
	"math"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

func (r *reader) routine(n strictyaml.Node) (a Routine) {
	m := n.Map("name", "trigger", "mode", "needs", "every", "jitter", "slip", "phase", "restarted_by", "gaps", "at", "per_day", "refractory", "kit", "during", "enters", "then", "steps", "basis", "assumed", "source")
	a.Trigger = m.Need("trigger").Enum(Triggers()...)
	a.Name = readName(m.Need("name"), "none")
	if a.Name != "" && a.Trigger != "" && (a.Name == ActivityBoot) != (a.Trigger == TriggerBoot) {
		m.Opt("name").Errorf("name: boot, trigger: boot", "only the activity boot has the trigger boot")
	}
	if m.Has("mode") {
		a.Mode = readName(m.Opt("mode"))
	}
	switch m.Opt("needs").Enum("peer", "no-peer") {
	case "peer":
		a.Peer = true
	case "no-peer":
		a.NoPeer = true
	}
	a.Origin = r.origin(m)
	r.when(m, &a)
	r.anew = append(r.anew, m.Opt("restarted_by"))
	r.kitOf(m, &a)
	r.statesOf(m, &a)
	a.Steps = r.steps(m.Need("steps"), &a)
	if m.Has("steps") && len(a.Steps) == 0 {
		m.Opt("steps").Errorf("one step or more", "an activity without a step")
	}
	return a
}

// steps reads what an activity exchanges.
func (r *reader) steps(n strictyaml.Node, a *Routine) (steps []Step) {
	var total int64
	for _, item := range n.List() {
		s := r.step(item, a)
		said := count(s.Messages)
		if svc := r.p.Service(s.Service); svc != nil && (s.Op == OpConnect || s.Op == OpReconnect) {
			said = max(said, count(svc.Login.Messages))
		}
		total = min(total+min(s.Repeat.Max, maxMessages+1)*min(said, maxMessages+1), math.MaxInt64/2)
		steps = append(steps, s)
	}
	if total > maxMessages {
		n.Errorf("", "up to %d messages in one activity: at most %d are allowed", total, maxMessages)
	}
	return steps
}

// when reads the keys that say how often, which depend on the trigger.
func (r *reader) when(m strictyaml.Map, a *Routine) {
	periodic := a.Trigger == TriggerTimer || a.Trigger == TriggerSchedule
	person := a.Trigger != "" && a.Person()
	for _, key := range []string{"every", "jitter", "slip", "phase", "restarted_by", "gaps"} {
		if m.Has(key) && !periodic && a.Trigger != "" {
			m.Opt(key).Errorf("trigger: timer or schedule", "%q has no meaning with trigger %s", key, a.Trigger)
		}
	}
	for _, key := range []string{"per_day", "refractory"} {
		if m.Has(key) && !person && a.Trigger != "" {
			m.Opt(key).Errorf("a person's trigger: voice, app-local, app-remote, motion, touch", "%q has no meaning with trigger %s", key, a.Trigger)
		}
	}
	if m.Has("at") {
		daily(m, a)
	}
	if a.Daily {
		return
	}
	if periodic && m.Has("gaps") {
		gaps(m, a)
	} else if periodic {
		a.Every = durations(m.Need("every"), MinPeriod, maxPeriod)
		jitter(m.Opt("jitter"), a)
		slip(m.Opt("slip"), a)
	}
	if periodic {
		a.Phase, a.Phases = spread(m.Opt("phase"), 0, maxPeriod)
		if m.Has("restarted_by") {
			a.RestartedBy = readName(m.Opt("restarted_by"))
		}
	}
	if person {
		a.PerDay = m.Need("per_day").Decimal(0, 100_000)
		a.Refractory = draw.Range{Min: int64(time.Second), Max: int64(time.Second)}
		if m.Has("refractory") {
			a.Refractory = durations(m.Opt("refractory"), 0, maxPeriod)
		}
	}
}

// jitter reads by how much beats stray from a period, each way, or the quantiles of that.
func jitter(n strictyaml.Node, a *Routine) {
	most := int64(0)
	if n.Len() > 0 || n.IsMap() {
		a.Jitters, a.JitterNext = series(n, func(n strictyaml.Node) []int64 { return table(n, -maxPeriod, maxPeriod) })
		if k := len(a.Jitters); k > 0 {
			most = max(-a.Jitters[0], a.Jitters[k-1])
		}
	} else {
		a.Jitter = n.Duration(0, maxPeriod)
		most = a.Jitter
	}
	if a.Every.Min > 0 && most > a.Every.Min/2 {
		n.Errorf("at most half the period", "beats would overtake each other")
	}
}

// slip reads how often a timer's grid moves, and by how much: never by so much that beats would overtake each other.
func slip(n strictyaml.Node, a *Routine) {
	if !n.Given() {
		return
	}
	m := n.Map("chance", "by")
	a.Slip = m.Need("chance").Decimal(0, 100) / 100
	a.Slips = table(m.Need("by"), -maxPeriod, maxPeriod)
	if a.Every.Min > 0 && -a.Slips[0] > a.Every.Min/2 {
		m.Opt("by").Errorf("at most half the period early", "beats would overtake each other")
	}
}

// daily reads the time of day of a schedule.
func daily(m strictyaml.Map, a *Routine) {
	n := m.Opt("at")
	if a.Trigger != TriggerSchedule {
		if a.Trigger != "" {
			n.Errorf("trigger: schedule", "\"at\" has no meaning with trigger %s", a.Trigger)
		}
		return
	}
	for _, key := range []string{"every", "slip", "phase", "restarted_by", "gaps"} {
		if m.Has(key) {
			m.Opt(key).Errorf("one of every, gaps, at", "%q beside \"at\"", key)
		}
	}
	a.Daily = true
	a.Jitter = m.Opt("jitter").Duration(0, time.Hour)
	s := n.String(5)
	if t, err := time.Parse("15:04", s); err == nil && len(s) == 5 {
		a.At = int64(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	} else if s != "" {
		n.Errorf("a time of day in quotes, as in \"07:30\"", "%q is none", s)
	}
}

// gaps reads the quantiles of the time from one beat to the next, which stand in the place of a period.
func gaps(m strictyaml.Map, a *Routine) {
	for _, key := range []string{"every", "jitter", "slip"} {
		if m.Has(key) {
			m.Opt(key).Errorf("one of every, gaps", "%q beside \"gaps\"", key)
		}
	}
	a.Gaps, a.GapNext = series(m.Opt("gaps"), func(n strictyaml.Node) (q []int64) {
		nodes := n.List()
		if len(nodes) < 2 || len(nodes) > maxQuantiles {
			n.Errorf("2 to 101 durations, from the least gap to the longest", "%d quantiles", len(nodes))
		}
		for _, n := range nodes {
			d := n.Duration(MinPeriod, maxPeriod)
			if k := len(q); k > 0 && d < q[k-1] && d > 0 {
				n.Errorf("durations in rising order", "a quantile below the one before it")
			}
			q = append(q, max(d, int64(MinPeriod)))
		}
		return q
	})
}

// restarts checks that timers are restarted by activities that there are; those are not restarted themselves, or two could go
// on without end at one moment.
func (r *reader) restarts() {
	for i := range r.p.Activities {
		a := &r.p.Activities[i]
		if a.RestartedBy == "" {
			continue
		}
		switch by := r.p.Routine(a.RestartedBy); {
		case by == a:
			r.anew[i].Errorf("another activity", "an activity does not restart itself")
		case by == nil:
			r.anew[i].Errorf(strictyaml.OneOf(a.RestartedBy, r.p.ActivityNames()[1:]), "no activity %q", a.RestartedBy)
		case by.Trigger == TriggerBoot:
			r.anew[i].Errorf("another activity", "every timer begins with boot")
		case by.RestartedBy != "":
			r.anew[i].Errorf("an activity that is not", "%q is restarted itself", a.RestartedBy)
		}
	}
}

var opNames = [...]string{
	OpDialogue: "dialogue", OpConnect: "connect", OpResolve: "resolve", OpTimeSync: "time-sync", OpPing: "ping", OpQuery: "query",
	OpAnnounce: "announce", OpARP: "arp", OpScan: "arp-scan", OpReconnect: "reconnect", OpDisconnect: "disconnect",
}

// String returns the op's name in profiles.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

func (r *reader) step(n strictyaml.Node, a *Routine) (s Step) {
	m := n.Map("service", "op", "after", "repeat", "gap", "chance", "fresh", "messages")
	s.Service = m.Need("service").String(32)
	svc := r.p.Service(s.Service)
	if svc == nil && s.Service != "" {
		var names []string
		for _, x := range r.p.Services {
			names = append(names, x.Name)
		}
		m.Opt("service").Errorf(strictyaml.OneOf(s.Service, names), "no service %q", s.Service)
	}
	op := m.Opt("op").Enum(opNames[:]...)
	for i, name := range opNames {
		if name == op {
			s.Op = Op(i)
		}
	}
	s.After = durations(m.Opt("after"), 0, maxWait)
	s.Gap = durations(m.Opt("gap"), 0, maxWait)
	s.Repeat, s.Chance = draw.Range{Min: 1, Max: 1}, strictyaml.Micro
	if m.Has("repeat") {
		s.Repeat = integers(m.Opt("repeat"), 1, 1000)
	}
	if m.Has("chance") {
		s.Chance = m.Opt("chance").Decimal(0, 100) / 100
	}
	if svc == nil || svc.Transport == "" {
		return s
	}
	checkOp(m, &s, svc)
	if (s.Op == OpConnect || s.Op.closes()) && a.Trigger == TriggerBoot {
		m.Opt("op").Errorf("", "boot opens every lasting connection by itself")
	}
	s.Fresh = svc.Connected() && !svc.Lasting && s.Op == OpDialogue
	if m.Has("fresh") {
		s.Fresh = m.Opt("fresh").Bool()
		switch {
		case !s.Fresh && svc.Connected() && !svc.Lasting:
			m.Opt("fresh").Errorf("true", "service %q has no lasting connection", svc.Name)
		case s.Fresh && svc.Transport == TransportMQTT:
			m.Opt("fresh").Errorf("false", "a device keeps its connection to an MQTT broker")
		}
	}
	if svc.Host == HostPeer && !a.Peer {
		m.Opt("service").Errorf("needs: peer, on the activity", "the peer is the household's phone, which may be absent")
	}
	if s.Op == OpDialogue || s.Op == OpPing {
		r.dialogue(m, &s, svc)
	}
	return s
}

// checkOp refuses what a service cannot do.
func checkOp(m strictyaml.Map, s *Step, svc *Service) {
	at := m.Opt("op")
	only := map[Transport]Op{TransportNTP: OpTimeSync, TransportICMP: OpPing, TransportARP: OpARP}
	if svc.Multicast() {
		if s.Op != OpQuery && s.Op != OpAnnounce {
			at.Errorf("query, announce", "%s is not done over %s", s.Op, svc.Transport)
		}
		if m.Has("messages") {
			m.Opt("messages").Errorf("", "%s has no messages", s.Op)
		}
		return
	}
	want, special := only[svc.Transport]
	if s.Op == OpScan && svc.Transport == TransportARP {
		want = OpScan
	}
	switch {
	case s.Op == OpResolve && !svc.WAN():
		at.Errorf("a service with a DNS name", "%q is on the LAN", svc.Name)
	case s.Op == OpResolve:
	case special && s.Op != want:
		at.Errorf(want.String()+", resolve", "%s is not done over %s", s.Op, svc.Transport)
	case !special && s.Op > OpResolve && !s.Op.closes():
		at.Errorf("dialogue, connect, resolve", "%s is not done over %s", s.Op, svc.Transport)
	case s.Op == OpConnect && !svc.Lasting, s.Op.closes() && (!svc.Lasting || !svc.Stream()):
		at.Errorf("dialogue, resolve", "service %q has no lasting connection", svc.Name)
	}
	if m.Has("messages") && s.Op != OpDialogue && s.Op != OpPing {
		m.Opt("messages").Errorf("", "%s has no messages", s.Op)
	}
}

// dialogue reads a step's messages and checks how they begin.
func (r *reader) dialogue(m strictyaml.Map, s *Step, svc *Service) {
	if s.Op == OpPing && !m.Has("messages") {
		s.Messages = []Item{{Dir: Up, Size: draw.Range{Min: 56, Max: 56}, Repeat: draw.Range{Min: 1, Max: 1}}}
		return
	}
	n := m.Need("messages")
	nodes := n.List()
	if n.Given() && len(nodes) == 0 {
		n.Errorf("one message or more", "a dialogue without a message")
		return
	}
	s.Messages = r.items(nodes, svc, s.Op, 1)
	if len(s.Messages) == 0 || s.Op == OpPing {
		return
	}
	if silent(s.Messages[0]) {
		nodes[0].Errorf("a message in each variant", "nothing may be said at all: what comes first must be said")
	}
	if svc.Transport == TransportApp {
		if !broken(s.Messages[0]) && !opens(s.Messages[0], Down, MinOpening) {
			nodes[0].Errorf("down: 16 or more", "the phone opens the connection, and speaks first")
		}
		return
	}
	if s.Fresh || !svc.Lasting || svc.Login.Up == 0 && len(svc.Login.Messages) == 0 {
		if !broken(s.Messages[0]) && !opens(s.Messages[0], Up, MinOpening) {
			nodes[0].Errorf("up: 16 or more", "without a log-in before it, the first message comes from the device")
		}
	}
}

// opens tells whether the first message goes this way and has so many bytes or more, whichever variant it is.
func opens(it Item, dir int8, least int64) bool {
	switch {
	case len(it.Group) > 0:
		return opens(it.Group[0], dir, least)
	case len(it.Variants) > 0:
		for _, v := range it.Variants {
			if len(v.Messages) == 0 || !opens(v.Messages[0], dir, least) {
				return false
			}
		}
		return true
	case it.Stream != nil:
		return it.Stream.Dir == dir && it.Stream.Size.Min >= least
	}
	return it.Dir == dir && it.Size.Min >= least
}

// silent tells whether it may be that an item says nothing.
func silent(it Item) bool {
	switch {
	case len(it.Group) > 0:
		return silent(it.Group[0])
	case len(it.Variants) > 0:
		for _, v := range it.Variants {
			if len(v.Messages) == 0 || silent(v.Messages[0]) {
				return true
			}
		}
	}
	return false
}

// broken tells whether an item has no direction or no size, for a mistake that is reported where it was read.
func broken(it Item) bool {
	switch {
	case len(it.Group) > 0:
		return broken(it.Group[0])
	case len(it.Variants) > 0, it.Stream != nil:
		return false
	}
	return it.Dir == 0 || it.Dir == Up && it.Size.Min == 0
}

// count returns how many messages the items hold at most.
func count(items []Item) (n int64) {
	for _, it := range items {
		k := int64(1)
		switch {
		case len(it.Group) > 0:
			k = count(it.Group)
		case len(it.Variants) > 0:
			k = 0
			for _, v := range it.Variants {
				k = max(k, count(v.Messages))
			}
		case it.Stream != nil:
			x := it.Stream
			frames := x.Duration.Max/max(1, x.Every) + 1
			k = frames * (max(x.Size.Max, x.KeySize.Max)/max(1, x.Chunk.Min) + 1)
		}
		n += min(k, 1<<32) * it.Repeat.Max
	}
	return min(n, 1<<40)
}
