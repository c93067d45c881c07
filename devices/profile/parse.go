package profile

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

// Limits of what a profile may ask for.
const (
	maxMessage    = 16 << 20            // application bytes of a message on TCP
	maxDatagram   = 1472                // UDP payload of a 1500-byte IPv4 packet
	MinOpening    = 16                  // bytes that name the session at the start of a connection, and in each datagram
	minRequest    = 128                 // bytes of an HTTP request: room for its header
	minResponse   = 96                  // bytes of an HTTP response
	maxUpload     = 1 << 14             // bytes of a request's body in HTTP/2: one frame, the largest before the server allows more
	maxMessages   = 200_000             // of one activity
	maxPeriod     = 28 * 24 * time.Hour // of a timer
	MinPeriod     = 100 * time.Millisecond
	maxWait       = time.Hour // within an activity
	maxTextLength = 600       // of about and source
)

var (
	kindShape = regexp.MustCompile(`^(_[a-z0-9-]+\.){2,3}local$`)
	// targetShape is of UPnP Device Architecture 1.1, section 1.3.2
	targetShape = regexp.MustCompile(`^(ssdp:all|upnp:rootdevice|urn:[a-zA-Z0-9.-]+:(device|service):[a-zA-Z0-9_-]+:[0-9]+)$`)
	hostShape   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$`)
)

const nameAllowed = "1 to 32 lower-case letters and digits in words joined by hyphens, as in smart-kettle"

// Parse reads a device profile. Its texts may cite what is known beside its own list of sources. All that is wrong is in the
// error, which is strictyaml.ConfigErrors.
func Parse(file string, src []byte, known []Reference) (*Profile, error) {
	doc, root := strictyaml.Parse(file, src)
	if doc.Failed() {
		return nil, doc.Err()
	}
	r := &reader{known: known}
	r.profile(root)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return &r.p, nil
}

// reader fills a profile. Services come first: steps are checked against them.
type reader struct {
	p          Profile
	known      []Reference       // sources that it may cite beside its own
	anew       []strictyaml.Node // of each activity, what restarts it
	stateNodes []strictyaml.Node // of p.States
	astray     bool              // a state's name was wrong
}

func (r *reader) profile(root strictyaml.Node) {
	m := root.Map("device", "about", "kind", "category", "class", "oui", "stack", "wifi", "sources", "services", "kits", "states", "activities")
	p := &r.p
	p.Device = readName(m.Need("device"), "gateway", "internet", "unknown", ClassNoise, ActivityBoot)
	p.About = m.Need("about").String(maxTextLength)
	p.Kind = Kind(m.Need("kind").Enum(string(KindIoT), string(KindPhone), string(KindTablet)))
	p.Category = m.Need("category").Enum(Categories()...)
	switch {
	case m.Has("class"):
		p.Class = readName(m.Opt("class"))
	case p.Kind == KindIoT:
		p.Class = p.Device
	default:
		p.Class = ClassNoise
	}
	p.OUI = readOUI(m.Need("oui"))
	r.stack(m.Opt("stack"))
	r.wifi(m.Opt("wifi"))
	p.Sources = readReferences(m.Opt("sources"))
	seen := make(map[string]bool)
	for _, n := range m.Need("services").List() {
		s := r.service(n)
		if s.Name != "" && seen[s.Name] {
			n.Errorf("each name once", "a second service %q", s.Name)
		}
		seen[s.Name] = true
		p.Services = append(p.Services, s)
	}
	r.kits(m.Opt("kits"))
	r.states(m.Opt("states"))
	names := make(map[string]bool)
	activities := m.Need("activities").List()
	for _, n := range activities {
		a := r.routine(n)
		if a.Name != "" && names[a.Name] {
			n.Errorf("each name once", "a second activity %q", a.Name)
		}
		names[a.Name] = true
		p.Activities = append(p.Activities, a)
		if a.Mode != "" && !slices.Contains(p.Modes, a.Mode) {
			p.Modes = append(p.Modes, a.Mode)
		}
	}
	slices.Sort(p.Modes)
	r.restarts()
	r.reach(activities)
	if len(p.Services) == 0 || len(p.Activities) == 0 {
		if m.Has("services") && m.Has("activities") {
			root.Errorf("", "a device needs a service and an activity")
		}
	}
}

// readName reads a name that goes into labels, namespaces and file names.
func readName(n strictyaml.Node, reserved ...string) string {
	s := n.String(32)
	switch {
	case s == "":
	case !strictyaml.IsName(s):
		n.Errorf(nameAllowed, "%q is not a name", s)
	case slices.Contains(reserved, s):
		n.Errorf("another name", "%q is reserved", s)
	}
	return s
}

func readOUI(n strictyaml.Node) (oui [3]byte) {
	s := n.String(maxTextLength)
	if s == "" {
		return oui
	}
	const allowed = `three bytes in quotes, as in "50:c7:bf", of a unicast address`
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != 3 || len(s) != 8 {
		n.Errorf(allowed, "%q is no vendor prefix", s)
		return oui
	}
	if b[0]&1 != 0 {
		n.Errorf(allowed, "%q is a multicast prefix", s)
	}
	return [3]byte(b)
}

func (r *reader) stack(n strictyaml.Node) {
	r.p.Stack = Stack{TTL: 64, MSS: 1460}
	if !n.Given() {
		return
	}
	m := n.Map("ttl", "tcp_timestamps", "mss", "keepalive", "ipv6", "arp", "apart", "acks")
	s := &r.p.Stack
	if m.Has("ttl") {
		s.TTL = int(m.Opt("ttl").Int(1, 255))
	}
	if m.Has("mss") {
		s.MSS = int(m.Opt("mss").Int(536, 1460))
	}
	s.TCPTimestamps = m.Opt("tcp_timestamps").Bool()
	s.Keepalive = m.Opt("keepalive").Duration(0, maxPeriod)
	s.IPv6 = m.Opt("ipv6").Bool()
	if m.Has("arp") {
		s.ARP = m.Opt("arp").Duration(time.Second, 24*time.Hour)
	}
	s.Apart = m.Opt("apart").Bool()
	if m.Has("acks") {
		s.Acks = table(m.Opt("acks"), 0, 10*time.Second)
	}
}

func (r *reader) wifi(n strictyaml.Node) {
	if !n.Given() {
		return
	}
	m := n.Map("power_save", "latency", "doze", "pace")
	r.p.WiFi.PowerSave = m.Opt("power_save").Bool()
	r.p.WiFi.Latency = durations(m.Opt("latency"), 0, time.Second)
	if m.Has("doze") {
		r.p.WiFi.Doze = table(m.Opt("doze"), 0, 10*time.Second)
	}
	if m.Has("pace") {
		r.p.WiFi.Pace, r.p.WiFi.PaceNext = series(m.Opt("pace"), func(n strictyaml.Node) []int64 { return table(n, 0, time.Second) })
	}
}

// Transports is the closed vocabulary of a service's protocol stack.
func Transports() []string {
	return []string{
		string(TransportTLS12), string(TransportTLS13), string(TransportTCP), string(TransportHTTP), string(TransportH2), string(TransportMQTT),
		string(TransportQUIC), string(TransportUDP), string(TransportLAN), string(TransportApp), string(TransportMDNS), string(TransportMDNS6), string(TransportSSDP),
		string(TransportARP), string(TransportNTP), string(TransportICMP),
	}
}

func (r *reader) service(n strictyaml.Node) (s Service) {
	m := n.Map("name", "host", "port", "transport", "cloud", "reply", "login", "lasting", "answers", "basis", "assumed", "source")
	s.Name = readName(m.Need("name"))
	s.Transport = Transport(m.Need("transport").Enum(Transports()...))
	s.Origin = r.origin(m)
	s.Lasting = m.Opt("lasting").Bool()
	if s.Answers = m.Opt("answers").Bool(); s.Answers && !s.Multicast() && s.Transport != "" {
		m.Opt("answers").Errorf("mdns, mdns6, ssdp", "nobody looks for a service of %s", s.Transport)
	}
	r.host(m, &s)
	switch {
	case s.Transport == TransportICMP, s.Transport == TransportARP, s.Multicast():
		if m.Has("port") {
			m.Opt("port").Errorf("", "a service of %s has no port to choose", s.Transport)
		}
	default:
		s.Port = uint16(m.Need("port").Int(1, 65535))
	}
	if m.Has("reply") {
		reply := m.Opt("reply").Map("latency", "level")
		s.Latency, s.Replies = spread(reply.Need("latency"), 0, maxWait)
		if reply.Has("level") {
			s.Level = table(reply.Opt("level"), 0, maxWait)
		}
	}
	if m.Has("login") {
		r.login(m.Opt("login"), &s)
	}
	r.lasting(n, m, &s)
	return s
}

// login reads how a lasting connection begins.
func (r *reader) login(n strictyaml.Node, s *Service) {
	l := n.Map("up", "down", "messages")
	if !l.Has("messages") {
		s.Login = Login{Up: int(l.Need("up").Int(MinOpening, maxMessage)), Down: int(l.Need("down").Int(1, maxMessage))}
		return
	}
	for _, key := range []string{"up", "down"} {
		if l.Has(key) {
			l.Opt(key).Errorf("up and down, or messages", "%q beside \"messages\"", key)
		}
	}
	at := l.Opt("messages")
	switch s.Transport {
	case "":
	case TransportTLS12, TransportTLS13, TransportTCP:
		nodes := at.List()
		s.Login.Messages = r.items(nodes, s, OpDialogue, 1)
		switch m := s.Login.Messages; {
		case len(m) == 0:
			at.Errorf("one message or more", "a log-in without a message")
		case !broken(m[0]) && !opens(m[0], Down, 1) && !opens(m[0], Up, MinOpening):
			nodes[0].Errorf("up: 16 or more, or down", "the first message of a connection, in each variant")
		}
		if k := count(s.Login.Messages); k > maxMessages {
			at.Errorf("", "up to %d messages in a log-in: at most %d are allowed", k, maxMessages)
		}
	default:
		at.Errorf("up, down", "of %s a log-in is one message up and one down", s.Transport)
		s.Login = Login{Up: 64, Down: 64} // so that nothing else is said of it
	}
}

// lasting checks whether a service has a lasting connection, and how it begins.
func (r *reader) lasting(n strictyaml.Node, m strictyaml.Map, s *Service) {
	switch {
	case s.Transport == "":
	case s.Lasting && (s.Transport == TransportNTP || s.Transport == TransportICMP || s.Transport == TransportQUIC || s.Web() || s.Multicast() || s.Transport == TransportARP || s.Transport == TransportApp):
		m.Opt("lasting").Errorf("tls12, tls13, tcp, mqtt, udp, lan-udp", "%s has no lasting connection", s.Transport)
	case s.Transport == TransportMQTT && !s.Lasting:
		n.Errorf("lasting: true", "a device keeps its connection to an MQTT broker")
	case s.Lasting && s.Stream() && !m.Has("login"):
		n.Errorf("login: {up: 16 or more, down: 1 or more}, or login: {messages: [...]}", "a lasting connection needs a login")
	case !s.Lasting && m.Has("login"):
		m.Opt("login").Errorf("lasting: true", "only a lasting connection has a login")
	case m.Has("login") && s.Transport == TransportMQTT:
		mqttLogin(m.Opt("login"), &s.Login)
	case m.Has("login") && !s.Stream() && (s.Login.Up > maxDatagram || s.Login.Down > maxDatagram || s.Login.Down < MinOpening):
		m.Opt("login").Errorf("16 to 1472 bytes", "a datagram cannot have this size")
	}
}

// mqttLogin checks a log-in at a broker. The lengths of a packet's length field leave gaps: none has 130 or 16387 bytes.
func mqttLogin(n strictyaml.Node, l *Login) {
	if l.Up == 0 || l.Down == 0 { // reported before
		return
	}
	switch {
	case l.Up < mqttConnect, l.Up > 1<<16, l.Up == 130, l.Up == 16387:
		n.Errorf("up: 36 to 65536 bytes, but for 130 and 16387", "no CONNECT has %d bytes", l.Up)
	case l.Down != MQTTConnack && l.Down != MQTTConnack+MQTTSuback && l.Down < MQTTConnack+MQTTSuback+MQTTPublish:
		n.Errorf("down: 4 for a CONNACK, 9 with a SUBACK, 14 or more with a PUBLISH, too", "no answer to a log-in has %d bytes", l.Down)
	}
}

// host reads where a service is, and which cloud it belongs to.
func (r *reader) host(m strictyaml.Map, s *Service) {
	n := m.Need("host")
	if s.Transport == TransportLAN || s.Transport == TransportApp {
		if s.Transport == TransportApp {
			s.Host = n.Enum(HostPeer)
		} else {
			s.Host = n.Enum(HostPeer, HostBroadcast)
		}
		if m.Has("cloud") {
			m.Opt("cloud").Errorf("", "a service on the LAN has no cloud")
		}
		return
	}
	if !s.WAN() {
		r.lanHost(m, n, s)
		return
	}
	s.Cloud = readName(m.Need("cloud"))
	s.Host = n.String(100)
	switch {
	case s.Host == "":
	case !hostShape.MatchString(s.Host):
		n.Errorf("a DNS name of two labels or more in lower case", "%q is no host name", s.Host)
	case r.p.Device != "" && strings.Contains(s.Host, r.p.Device):
		n.Errorf("a name without it", "the host names the device %q: the truth would be readable on the wire", r.p.Device)
	}
}

// lanHost reads what a service looks for on the LAN.
func (r *reader) lanHost(m strictyaml.Map, n strictyaml.Node, s *Service) {
	if m.Has("cloud") {
		m.Opt("cloud").Errorf("", "a service on the LAN has no cloud")
	}
	if s.Transport == TransportARP {
		s.Host = n.Enum(HostRouter)
		return
	}
	if s.Transport == TransportSSDP {
		if s.Host = n.String(100); s.Host != "" && !targetShape.MatchString(s.Host) {
			n.Errorf("ssdp:all, upnp:rootdevice, or a urn", "%q is no search target", s.Host)
		}
		return
	}
	if s.Host = n.String(100); s.Host != "" && !kindShape.MatchString(s.Host) {
		n.Errorf("a kind of service, as in _googlecast._tcp.local", "%q is none", s.Host)
	}
}

// origin reads where an entry's numbers come from, and which of them are assumed all the same.
func (r *reader) origin(m strictyaml.Map) (o Origin) {
	o.Basis = Basis(m.Need("basis").Enum(string(BasisMeasured), string(BasisPaper), string(BasisAssumed)))
	source := m.Need("source")
	o.Source = source.String(maxTextLength)
	r.cites(source, o.Source)
	if !m.Has("assumed") {
		return o
	}
	if o.Basis == BasisAssumed {
		m.Opt("assumed").Errorf("", "all of it is assumed")
		return o
	}
	var given []string
	for _, key := range quantities() {
		if m.Has(key) {
			given = append(given, key)
		}
	}
	for _, n := range m.Opt("assumed").List() {
		key := n.String(32)
		switch {
		case key == "":
		case !slices.Contains(given, key):
			n.Errorf(strictyaml.OneOf(key, given), "%q is no number of this entry", key)
		case slices.Contains(o.Assumed, key):
			n.Errorf("each once", "%q twice", key)
		default:
			o.Assumed = append(o.Assumed, key)
		}
	}
	return o
}

func durations(n strictyaml.Node, lo, hi time.Duration) draw.Range {
	a, b := n.DurationRange(lo, hi)
	return draw.Range{Min: a, Max: b}
}

func integers(n strictyaml.Node, lo, hi int64) draw.Range {
	a, b := n.IntRange(lo, hi)
	return draw.Range{Min: a, Max: b}
}
