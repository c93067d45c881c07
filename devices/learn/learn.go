package learn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Options say how a profile is made.
type Options struct {
	Device   string // name of the profile; "learned-device" unless told
	Category string // "sensor" unless told
	Source   string // what the profile says its numbers come from
}

// Doubt is something that the learner is not sure of.
type Doubt struct {
	About string `json:"about"` // the device, a service or an activity
	Why   string `json:"why"`
}

// Result is a learned profile.
type Result struct {
	YAML       []byte           `json:"-"`
	Device     string           `json:"device"`
	Span       float64          `json:"span_s"`
	Packets    int              `json:"packets"`
	Services   []Service        `json:"services"`
	Activities []Activity       `json:"activities"`
	Explained  float64          `json:"explained"` // share of the messages that activities were made from
	Doubts     []Doubt          `json:"doubts"`
	LeftOut    map[string]int64 `json:"left_out"` // frames that nothing was learned from, by reason
	RTT        int64            `json:"rtt_ns"`   // median way and back of its SYNs; 0 = none was seen
	Stack      Stack            `json:"stack"`
}

// Stack is what was seen of the device's TCP/IP.
type Stack struct {
	TTL        int       `json:"ttl"`
	MSS        int       `json:"mss"`
	Timestamps bool      `json:"tcp_timestamps"`
	Keepalive  int64     `json:"keepalive_ns"`
	AckLag     int64     `json:"ack_lag_ns"`          // median of its pure acknowledgements behind what they acknowledge
	Doze       []int64   `json:"doze_ns,omitempty"`   // quantiles of what of that is the device's sleep
	Apart      bool      `json:"apart,omitempty"`     // what it writes at once leaves in segments of its own
	Pace       []int64   `json:"pace_ns,omitempty"`   // quantiles of the time between its full segments, within bursts
	PaceNext   [][]int64 `json:"pace_next,omitempty"` // weights of what follows what of these
	Acks       []int64   `json:"acks_ns,omitempty"`   // quantiles of how late it acknowledges a segment that came alone, where it answers sooner
}

// ErrNothing means that there is nothing to learn from.
var ErrNothing = errors.New("the capture holds no talk of this device with the internet")

// enough is the time in which an activity of an hour would be seen several times.
const enough = 6 * time.Hour

type learner struct {
	t   *Trace
	o   Options
	r   Result
	rtt int64

	used, all int // messages
	names     map[string]bool
}

// Learn makes a profile of what a trace shows.
func Learn(t *Trace, o Options) (*Result, error) {
	if o.Device == "" {
		o.Device = "learned-device"
	}
	if o.Category == "" {
		o.Category = "sensor"
	}
	l := &learner{t: t, o: o, names: make(map[string]bool)}
	l.r.Device, l.r.Span, l.r.Packets = o.Device, float64(t.Span())/1e9, len(t.Packets)
	l.r.Doubts = []Doubt{}
	l.account()
	peers := peersOf(t)
	for _, p := range peers {
		for _, k := range p.talks {
			l.all += len(k.messages)
		}
	}
	if len(peers) == 0 {
		return nil, ErrNothing
	}
	l.stack(peers)
	l.base(peers)
	if span := time.Duration(t.Span()); span < enough {
		l.doubt(o.Device, "the capture lasts %s only: what happens each few hours is not in it, and how often things happen is uncertain", span.Round(time.Second))
	}
	if t.Cut {
		l.doubt(o.Device, "the capture does not hold the payloads: TLS cannot be told from other protocols, and is emulated as bytes of the same sizes on plain TCP")
	}
	for _, p := range peers {
		l.peer(p)
	}
	l.lookups()
	l.times()
	l.echoes()
	if len(l.r.Activities) == 0 {
		return nil, fmt.Errorf("%w that comes twice: it is too short to learn from", ErrNothing)
	}
	if l.all > 0 {
		l.r.Explained = float64(l.used) / float64(l.all)
	}
	if l.r.Explained < 0.9 {
		l.doubt(o.Device, "%.0f %% of the messages are in activities; the others came once, or in too many shapes", 100*l.r.Explained)
	}
	l.r.YAML = l.write()
	return &l.r, nil
}

func (l *learner) doubt(about, format string, a ...any) {
	l.r.Doubts = append(l.r.Doubts, Doubt{about, fmt.Sprintf(format, a...)})
}

// account notes what is left out of the capture, and what is odd about it.
func (l *learner) account() {
	l.r.LeftOut = make(map[string]int64)
	maps.Copy(l.r.LeftOut, l.t.LeftOut)
	for i := range l.t.Packets {
		p := &l.t.Packets[i]
		if private(p.Remote) && !spread(p.Remote) && (p.Proto != 17 || !service(p.RemotePort)) {
			l.r.LeftOut[LeftLocal]++
		}
	}
	for _, d := range l.t.Doubts {
		l.doubt(l.o.Device, "%s", d)
	}
	hole, from := int64(0), int64(0)
	for i := 1; i < len(l.t.Packets); i++ {
		if at := l.t.Packets[i-1].At; l.t.Packets[i].At-at > hole {
			hole, from = l.t.Packets[i].At-at, at
		}
	}
	if hole > longestGap || hole > 24*int64(time.Hour) && hole > l.t.Span()/2 {
		l.doubt(l.o.Device, "nothing of it is recorded for %s from %s on: probably a hole in the recording; gaps of more than %s are not learned",
			days(hole), time.Unix(0, from).UTC().Format(time.DateTime), days(longestGap))
	}
}

func days(ns int64) string { return fmt.Sprintf("%.1f days", float64(ns)/float64(24*time.Hour)) }

// stack learns the habits of the device's TCP/IP.
func (l *learner) stack(peers []*peer) {
	var rtts, probes []int64
	for _, p := range peers {
		for _, k := range p.talks {
			if k.rtt > 0 {
				rtts = append(rtts, k.rtt)
			}
			for i := 1; i < len(k.probes); i++ {
				probes = append(probes, k.probes[i]-k.probes[i-1])
			}
		}
	}
	l.rtt = quantile(sorted(rtts), 0.5)
	l.r.RTT = l.rtt
	s := &l.r.Stack
	ttls := make(map[int]int)
	s.MSS, s.TTL = 1460, 64
	var lags []int64
	last := make(map[connection]int64)
	var asleep []int64
	var alone, answers []int64 // how late a segment that came alone was acknowledged, and was answered with data
	owed := make(map[connection]int)
	spoke, before := int64(0), make(map[connection]int64) // when the device was heard last, and for how long then it had been silent
	for i := range l.t.Packets {
		p := &l.t.Packets[i]
		key := connection{p.Remote, p.RemotePort, p.LocalPort, p.Proto}
		if p.Proto == 6 && !p.Up && p.Payload > 0 {
			last[key], before[key] = p.At, p.At-spoke
			owed[key]++
		}
		if !p.Up {
			continue
		}
		if p.Proto == 6 {
			if at, ok := last[key]; ok && p.Payload == 0 && p.Flags == flagACK {
				lags = append(lags, p.At-at)
				if before[key] > dozes {
					asleep = append(asleep, min(max(p.At-at-prompt, 0), longestDoze))
				}
				if owed[key] == 1 {
					alone = append(alone, min(max(p.At-at, 0), longestDoze))
				}
			} else if ok && p.Payload > 0 && before[key] > dozes {
				answers = append(answers, p.At-at)
			}
			delete(owed, key)
			delete(last, key)
			spoke = p.At
			s.Timestamps = s.Timestamps || p.Stamps
		}
		ttls[int(p.TTL)]++
		if p.MSS >= 536 && p.MSS <= 1460 {
			s.MSS = int(p.MSS)
		}
	}
	s.rhythmOfFrames(l.t)
	s.segments(l.t)
	s.AckLag = quantile(sorted(lags), 0.5)
	best := 0
	for _, ttl := range []int{32, 64, 128, 255} { // what stacks begin with; the capture may stand a hop away
		n := 0
		for v, c := range ttls {
			if v <= ttl && v > ttl-8 {
				n += c
			}
		}
		if n > best {
			best, s.TTL = n, ttl
		}
	}
	if r := rhythmOf(probes); r.N >= 3 && r.P50 >= 1e9 {
		s.Keepalive = (r.P50 + 5e8) / 1e9 * 1e9
	}
	if l.rtt == 0 {
		l.doubt(l.o.Device, "no connection is opened in the capture: log-ins, MSS and the network's delay are assumed")
	}
	// A device that answers much sooner than it acknowledges is awake: its stack is late. Where nothing is known of its answers the
	// same is assumed.
	late := quantile(sorted(alone), 0.5)
	if len(alone) >= enoughForTable && late > lazy && (len(answers) < enoughForTable || quantile(sorted(answers), 0.25) < late/2) {
		s.Acks = spreadOf(sorted(alone))
	} else if len(asleep) >= enoughForTable && quantile(sorted(asleep), 0.5) > lazy {
		s.Doze = spreadOf(sorted(asleep))
	} else if s.AckLag > 100e6 {
		l.doubt(l.o.Device, "it acknowledges %s late on average: emulated stacks do so within 40 ms and what the radio's sleep adds", time.Duration(s.AckLag).Round(time.Millisecond))
	}
}

// Of a device that acknowledges late.
const (
	dozes  = int64(50e6) // it sleeps after such a silence: as emulated
	prompt = int64(5e5)  // an emulated device's acknowledgement comes so late by itself
	lazy   = int64(60e6) // stacks alone are not later: 40 ms, or with data

	longestDoze = int64(10e9) // what a profile may say
)

// base sets what is taken off replies' lags for the network: the SYNs' way and back, or less, where replies are faster.
func (l *learner) base(peers []*peer) {
	var lags []int64
	for _, p := range peers {
		var ds []dialogue
		for _, k := range p.talks {
			ds = append(ds, k.dialogues()...)
		}
		levels(ds)
		for _, d := range ds {
			for i := 1; i < len(d.messages); i++ {
				if d.messages[i-1].up && !d.messages[i].up {
					lags = append(lags, d.messages[i].at-d.messages[i-1].end-d.slow)
				}
			}
		}
	}
	if fast := quantile(sorted(lags), 0.01); len(lags) >= 10 && (l.rtt == 0 || fast < l.rtt) {
		l.rtt = fast
	}
}

// name makes a name that no other has.
func (l *learner) name(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	n := strings.Trim(b.String(), "-")
	if len(n) > 20 {
		n = strings.Trim(n[:20], "-")
	}
	if n == "" {
		n = "peer"
	}
	free := n
	for k := 2; l.names[free]; k++ {
		free = fmt.Sprintf("%s-%d", n, k)
	}
	l.names[free] = true
	return free
}

// Service is a learned service.
type Service struct {
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	Named     bool     `json:"named"`
	Port      int      `json:"port"`
	Transport string   `json:"transport"`
	Cloud     string   `json:"cloud"`
	Lasting   bool     `json:"lasting"`
	Login     [2]int   `json:"login"`
	Latency   [2]int64 `json:"latency_ns"`
	Replies   []int64  `json:"replies_ns,omitempty"` // quantiles
	Level     []int64  `json:"level_ns,omitempty"`   // quantiles of what all replies of an hour take beyond that
	Talks     int      `json:"talks"`
	Openings  int      `json:"openings,omitempty"` // of which it was learned how a lasting line begins
	opening   []item
	over      int
}

// peer learns one service and what is said on it.
func (l *learner) peer(p *peer) {
	s := Service{Port: int(p.port), Talks: len(p.talks)}
	s.Host, s.Cloud, s.Named = l.host(p)
	s.Transport, s.over = transportOf(p)
	base, _, _ := strings.Cut(p.name, ".")
	if !p.named || p.lan {
		base = fmt.Sprintf("%s-%d", map[uint8]string{6: "tcp", 17: "udp"}[p.proto], p.port)
	}
	s.Lasting = !p.lan && lasting(p)
	if p.lan {
		s.Transport = "lan-udp"
	}
	var acts []Activity
	if s.Lasting || p.proto == 17 {
		acts = l.line(p, &s)
	} else {
		acts = l.sessions(p, &s)
	}
	if len(acts) == 0 {
		return
	}
	s.Name = l.name(base)
	reopen := ""
	for i := range acts {
		acts[i].Service = s.Name
		acts[i].Name = l.name(acts[i].Name)
		switch {
		case acts[i].Op == "reconnect":
			reopen = acts[i].Name
		case len(acts[i].Rhythm.First) > 0:
			acts[i].Restart = reopen
		}
		if acts[i].Rhythm.N > 0 && acts[i].Rhythm.N < 3 {
			l.doubt(acts[i].Name, "seen %d times only: its rhythm is a guess", acts[i].Rhythm.N+1)
		} else if acts[i].Rhythm.Period > 0 && acts[i].Rhythm.N < 10 {
			l.doubt(acts[i].Name, "its period was seen %d times only", acts[i].Rhythm.N)
		}
	}
	if !s.Named && !p.lan {
		l.doubt(s.Name, "the name of %s is not in the capture", p.name)
	}
	l.r.Services = append(l.r.Services, s)
	l.r.Activities = append(l.r.Activities, acts...)
}

// lasting tells whether most of what is said is said on connections that live on between two dialogues.
func lasting(p *peer) bool {
	on, off := 0, 0
	for _, k := range p.talks {
		if n := len(k.dialogues()); n >= 2 && k.end-k.start > 90e9 {
			on += n
		} else {
			off += n
		}
	}
	return on > off
}

// transportOf tells how a service is emulated, and the bytes of a record that are not the application's.
func transportOf(p *peer) (string, int) {
	if p.proto == 17 {
		return "udp", 0
	}
	shown := make(map[App]int)
	for _, k := range p.talks {
		shown[k.shown]++
	}
	switch {
	case shown[AppTLS13] > 0 && shown[AppTLS13] >= shown[AppTLS12]:
		return "tls13", 22
	case shown[AppTLS12] > 0:
		return "tls12", 29
	}
	return "tcp", 0
}

// host returns a name that a profile may have.
func (l *learner) host(p *peer) (host, cloud string, named bool) {
	n := len(l.r.Services) + 1
	if p.named && hostLike(p.name) && !strings.Contains(p.name, l.o.Device) {
		labels := strings.Split(p.name, ".")
		cloud := labels[len(labels)-2]
		if len(cloud) < 3 && len(labels) > 2 {
			cloud = labels[len(labels)-3]
		}
		return p.name, strings.Trim(cloud, "-"), true
	}
	return placeholder(fmt.Sprintf("host-%d", n), l.o.Device), fmt.Sprintf("unknown-%d", n), false
}

// placeholder makes a host's name of a label that does not hold the device's name: a profile must not have it there (the truth would be
// readable on the wire).
func placeholder(label, device string) string {
	var names []string
	for _, zone := range []string{"example.net", "example.com", "example.org", "test", "invalid"} {
		names = append(names, label+"."+zone)
	}
	for c := 'a'; c <= 'z'; c++ { // one of the letters, unless the device's name has all of them
		names = append(names, strings.Repeat(string(c), 4)+label[strings.LastIndexByte(label, '-')+1:]+"."+strings.Repeat(string(c), 3))
		names = append(names, strings.Repeat(string(c), 4+len(label))+"."+strings.Repeat(string(c), 3))
	}
	for _, n := range names {
		if !strings.Contains(n, device) {
			return n
		}
	}
	return names[0]
}

func hostLike(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 100 {
		return false
	}
	for _, l := range labels {
		if l == "" || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	top := labels[len(labels)-1]
	return len(top) >= 2 && top[0] >= 'a'
}

// byCount sorts clusters, the greatest first, equal ones by when they began.
func byCount(c []*cluster) {
	slices.SortStableFunc(c, func(a, b *cluster) int {
		return cmp.Or(cmp.Compare(len(b.members), len(a.members)), cmp.Compare(a.members[0].at(), b.members[0].at()))
	})
}
