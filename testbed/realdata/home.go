// Package realdata makes a home's WAN out of captures of real devices: what an observer between the home and its ISP would have seen of
// them, behind NAPT or behind WireGuard, as a dataset.
//
// A capture is taken inside the home. Its packets that cross the gateway are kept, each with the device whose address it bears, and
// transformed: behind NAPT they get a port of the gateway; behind WireGuard they go, cut to the tunnel's MTU, through the modelled tunnel
// (wgmodel.End), which gives the sizes, handshakes and keepalives of WireGuard. It is a transformation, not a capture behind a tunnel.
// Not modelled: the WAN's queue and loss, and the moment between the LAN and the WAN. Packets that stay on the LAN, as to a resolver in the
// home's router, are left out; every frame that is, is counted by reason. IPv6 passes a NAPT as it is. Called by the command line and by testbed/reproduce, from one goroutine.
package realdata

import (
	"embed"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
	"glasshouse/testbed/frames"
)

//go:embed homes/*.yaml
var library embed.FS

// Home is a list of captures that are put together to one home.
type Home struct {
	Name     string
	About    string
	Together bool // captured at the same time on one LAN: times are kept; else each capture begins at its own moment of the home
	Captures []Capture
	Virtual  Virtual
	Source   string // the YAML text
}

// Capture is what is captured of one device.
type Capture struct {
	File    string // path
	Profile *profile.Profile
	Device  string // name in the catalogue, or path of a profile
	MAC     [6]byte
	Addr    netip.Addr    // instead of MAC
	At      time.Duration // from the home's start to the capture's
	unit    int           // several captures of one device are one unit
	Source  string        // where it can be had
}

// Virtual says how homes with the same devices are to be lived, for a model to learn from.
type Virtual struct {
	Duration time.Duration
	Density  float64 // how often people act, against life
}

// Library lists the homes that are built in.
func Library() []string {
	entries, err := library.ReadDir("homes")
	if err != nil { // the directory is part of the program
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Load returns a built-in home by its name, with its captures in the directory captures, or reads a file, whose captures are relative to it.
func Load(nameOrFile, captures string) (*Home, error) {
	if strictyaml.IsFile(nameOrFile) {
		src, err := os.ReadFile(nameOrFile)
		if err != nil {
			return nil, fmt.Errorf("reading a list of captures: %w", err)
		}
		return parse(nameOrFile, src, filepath.Dir(nameOrFile))
	}
	src, err := library.ReadFile(path.Join("homes", nameOrFile+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("no home %q is built in: there is %s; another is the path of a YAML file", nameOrFile, strictyaml.OneOf(nameOrFile, Library()))
	}
	return parse(nameOrFile+".yaml", src, captures)
}

const (
	maxText    = 2000
	maxUnits   = 200
	longest    = 366 * 24 * time.Hour
	maxDensity = 1000
)

func parse(file string, src []byte, dir string) (*Home, error) {
	doc, root := strictyaml.Parse(file, src)
	m := root.Map("home", "about", "together", "virtual", "captures")
	h := &Home{Name: m.Need("home").String(60), About: m.Opt("about").String(maxText), Together: m.Opt("together").Bool(), Source: string(src)}
	if h.Name != "" && !strictyaml.IsName(h.Name) {
		m.Need("home").Errorf("lower-case letters and digits in words joined by hyphens", "%q is not a name", h.Name)
	}
	h.Virtual = Virtual{Duration: time.Hour, Density: 1}
	if m.Has("virtual") {
		v := m.Opt("virtual").Map("duration", "density")
		if v.Has("duration") {
			h.Virtual.Duration = time.Duration(v.Opt("duration").Duration(time.Minute, longest))
		}
		if v.Has("density") {
			h.Virtual.Density = float64(v.Opt("density").Decimal(0, maxDensity)) / strictyaml.Micro
		}
	}
	list := m.Need("captures").List()
	if m.Has("captures") && (len(list) == 0 || len(list) > maxUnits) {
		m.Opt("captures").Errorf(fmt.Sprintf("1 to %d", maxUnits), "%d captures", len(list))
	}
	for _, n := range list {
		h.Captures = append(h.Captures, capture(n, dir, h.Together, strictyaml.IsFile(file)))
	}
	h.join(list)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return h, nil
}

// join makes one unit of the captures of one device, as tools give them that begin a new file every hour.
func (h *Home) join(list []strictyaml.Node) {
	units := make(map[frames.Station]int) // index of the first capture
	n := 0
	for i := range h.Captures {
		c := &h.Captures[i]
		first, again := units[c.station()]
		if !again {
			units[c.station()], c.unit = i, n
			n++
			continue
		}
		f := &h.Captures[first]
		c.unit = f.unit
		same := func(o Capture) bool { return o.File == c.File && o.station() == c.station() }
		switch {
		case c.Profile != nil && f.Profile != nil && c.Profile.Device != f.Profile.Device:
			list[i].Errorf("one device for one station", "%s is %s already: it cannot be %s too", c.station(), f.Profile.Device, c.Profile.Device)
		case slices.ContainsFunc(h.Captures[:i], same):
			list[i].Errorf("each capture of a device once", "%s of %s is listed already", c.File, c.station())
		case c.At != f.At && c.At != 0:
			list[i].Errorf("at with the first capture of a device alone: the others keep their time from it", "%s has an at of its own", c.File)
		}
	}
}

// station is whose packets are meant.
func (c *Capture) station() frames.Station { return frames.Station{MAC: c.MAC, Addr: c.Addr} }

func capture(n strictyaml.Node, dir string, together, own bool) (c Capture) {
	m := n.Map("file", "device", "mac", "ip", "at", "source")
	c.Source = m.Opt("source").String(maxText)
	if c.File = m.Need("file").String(maxText); c.File != "" && c.File != frames.Stdin && !filepath.IsAbs(c.File) {
		c.File = filepath.Join(dir, filepath.FromSlash(c.File))
	}
	at := m.Need("device")
	if c.Device = at.String(maxText); c.Device != "" {
		if own && strictyaml.IsFile(c.Device) && !filepath.IsAbs(c.Device) {
			c.Device = filepath.Join(dir, c.Device)
		}
		var err error
		if c.Profile, err = catalogue.Resolve(c.Device); err != nil {
			at.Errorf("a device of the catalogue, or the path of a profile", "%v", err)
		}
	}
	if m.Has("mac") == m.Has("ip") {
		n.Errorf("mac or ip", "whose packets? One of the two is needed")
	}
	if s := m.Opt("mac").String(20); s != "" {
		var err error
		if c.MAC, err = frames.ParseMAC(s); err != nil {
			m.Opt("mac").Errorf(`six bytes in quotes, as in "24:6f:28:ab:42:97"`, "%q is no MAC address", s)
		}
	}
	if s := m.Opt("ip").String(20); s != "" {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is4() {
			m.Opt("ip").Errorf("an IPv4 address", "%q is none", s)
		}
		c.Addr = a
	}
	if m.Has("at") {
		c.At = time.Duration(m.Opt("at").Duration(0, longest))
		if together {
			m.Opt("at").Errorf("no at, where together is true", "the capture has its own time")
		}
	}
	return c
}

// MissingError tells which captures are not there.
type MissingError struct{ Captures []Capture }

func (e *MissingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d captures are not there:", len(e.Captures))
	for _, c := range e.Captures {
		fmt.Fprintf(&b, "\n  %s: expected is a capture of %s", c.File, c.Profile.Device)
		if c.Source != "" {
			fmt.Fprintf(&b, ", %s", c.Source)
		}
	}
	return b.String()
}

// Check tells whether all captures of the homes are there: the error, a *MissingError, says which are expected.
func Check(homes ...*Home) error {
	var missing []Capture
	for _, h := range homes {
		for _, c := range h.Captures {
			if c.File == frames.Stdin {
				continue
			}
			if st, err := os.Stat(c.File); err != nil || st.IsDir() {
				missing = append(missing, c)
			}
		}
	}
	if len(missing) > 0 {
		return &MissingError{missing}
	}
	return nil
}

// Units names the devices of the home: the second of a kind is "echo-dot-2".
func (h *Home) Units() []string {
	seen := make(map[string]int)
	var out []string
	for _, c := range h.Captures {
		if c.unit < len(out) {
			continue
		}
		d := c.Profile.Device
		if seen[d]++; seen[d] > 1 {
			d = fmt.Sprintf("%s-%d", d, seen[d])
		}
		out = append(out, d)
	}
	return out
}
