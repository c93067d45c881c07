package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// homeCheck checks one home, row by row beside its frames.
type homeCheck struct {
	d    *dataset.Dataset
	v    *Result
	home dataset.HomeInfo

	events     eventSet
	lan        *lanWindow
	wan        *pcapng.Reader     // nil where there is no capture
	macs       map[string][6]byte // of units
	units      map[string]*dataset.DeviceInfo
	vocabulary [len(labelColumns)]map[string]bool
	secrets    [][]byte
	parser     *dataset.Parser
	last       int64 // time of the row before, ns
	counts     dataset.Counts
}

var labelColumns = [...]string{
	"label_device", "label_unit", "label_class", "label_kind", "label_category", "label_activity", "label_role",
}

func (c *homeCheck) run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	defer c.lan.close()
	dir, m := c.d.HomePath(c.home.Home), &c.d.Manifest
	if m.HasWAN() {
		var err error
		if c.wan, err = pcapng.Open(filepath.Join(dir, dataset.FileWAN)); err != nil {
			return err
		}
		defer c.wan.Close()
	}
	if err := dataset.ReadRows(filepath.Join(dir, dataset.FilePackets), c.next); err != nil {
		return err
	}
	c.v.Checked += c.counts.WAN
	if c.wan != nil {
		if _, err := c.wan.Read(); !errors.Is(err, io.EOF) {
			c.problem("more frames than rows")
		}
	}
	var err error
	if c.counts.LAN, err = c.lan.rest(); err != nil {
		return err
	}
	if err := c.checkAir(); err != nil {
		return err
	}
	if c.home.Packets != c.counts.WAN {
		c.problem("the manifest counts %d packets, the file holds %d", c.home.Packets, c.counts.WAN)
	}
	return nil
}

// prepare reads what rows are compared with.
func (c *homeCheck) prepare() error {
	dir := c.d.HomePath(c.home.Home)
	last := int64(-1)
	if err := dataset.ReadEvents(filepath.Join(dir, dataset.FileEvents), func(e *dataset.Event) error {
		if e.Event <= last {
			c.problem("%s: event %d is after event %d", dataset.FileEvents, e.Event, last)
		}
		last = e.Event
		c.events.add(e.Event)
		c.counts.Events++
		return nil
	}); err != nil {
		return err
	}
	c.macs, c.units = make(map[string][6]byte), make(map[string]*dataset.DeviceInfo)
	for i := range c.home.Devices {
		u := &c.home.Devices[i]
		c.units[u.Unit] = u
		if u.MAC == "" && !c.d.Manifest.HasLAN() { // a captured home's, whose link has no such addresses
			continue
		}
		mac, err := net.ParseMAC(u.MAC)
		if err != nil || len(mac) != 6 {
			return fmt.Errorf("%s: the MAC address of %s is %q", dataset.FileManifest, u.Unit, u.MAC)
		}
		c.macs[u.Unit] = [6]byte(mac)
	}
	for i, column := range labelColumns {
		c.vocabulary[i] = make(map[string]bool)
		for _, word := range c.d.Manifest.Vocabulary[column] {
			c.vocabulary[i][word] = true
		}
	}
	c.counts.ByDevice = make(map[string]int64)
	c.secrets, c.parser, c.last = secrets(c.d, c.home), dataset.NewParser(), -1
	frames := c.d.Manifest.Counts.LAN
	if c.home.Counts != nil {
		frames = c.home.Counts.LAN
	}
	path := ""
	if c.d.Manifest.HasLAN() {
		path = filepath.Join(dir, dataset.FileLAN)
	}
	var err error
	c.lan, err = openLANWindow(path, frames)
	return err
}

// next checks a row, beside its frame where there is one.
func (c *homeCheck) next(r *dataset.Row) error {
	c.counts.WAN++
	c.counts.ByDevice[r.Device]++
	c.order(r)
	c.label(r)
	var f pcapng.Frame
	if c.wan != nil {
		var err error
		if f, err = c.wan.Read(); err != nil {
			return fmt.Errorf("row %d has no frame: %w", c.counts.WAN, err)
		}
		c.frame(r, f)
	}
	if r.LANFrame == 0 {
		c.counts.WithoutLAN++
		return nil
	}
	return c.carrier(r, f)
}

// frame compares a row with its frame.
func (c *homeCheck) frame(r *dataset.Row, f pcapng.Frame) {
	want := c.parser.ObserveLen(f.TsNs, r.Dir, f.Data, f.Length)
	want.Frame = c.counts.WAN
	if len(f.Data) < f.Length && len(f.Data) < observed(f.Data) { // a snapshot: what lies beyond it cannot be checked
		want.LocalPort, want.RemotePort, want.TCPFlags = r.LocalPort, r.RemotePort, r.TCPFlags
		want.RemoteAddr, want.IPProto = r.RemoteAddr, r.IPProto
		want.PayloadLength, want.AppProto = r.PayloadLength, r.AppProto
	}
	if r.Observation != want {
		c.problem("row %d is %+v, its frame shows %+v", c.counts.WAN, r.Observation, want)
	}
	for _, s := range c.secrets {
		if bytes.Contains(f.Data, s) {
			c.problem("frame %d of %s says %q", c.counts.WAN, dataset.FileWAN, s)
		}
	}
}

// observed is how many bytes of a frame an observation rests on: its headers, and 8 bytes above them. The most that it may be
// where the headers do not tell.
func observed(b []byte) int {
	const most = dataset.EthernetHeader + 60 + 60 + 8
	if len(b) < dataset.EthernetHeader+packet.IPv4Size || packet.Ethernet(b).EtherType() != packet.EtherTypeIPv4 {
		return most
	}
	ip := packet.IPv4(b[dataset.EthernetHeader:])
	head := dataset.EthernetHeader + ip.HeaderLength()
	switch tcp := ip.Protocol() == packet.ProtoTCP; {
	case tcp && len(b) > head+12:
		return head + packet.TCP(b[head:]).DataOffset() + 8
	case tcp:
		return most
	}
	return head + 16
}

// order checks what needs no frame: the rows' order, and that sizes are possible.
func (c *homeCheck) order(r *dataset.Row) {
	n := c.counts.WAN
	if r.Frame != n {
		c.problem("row %d says that it is of frame %d", n, r.Frame)
	}
	if r.TsNs <= c.last {
		c.problem("row %d is not after row %d in time", n, n-1)
	}
	c.last = r.TsNs
	switch r.Dir {
	case packet.Up:
		c.counts.Up++
	case packet.Down:
		c.counts.Down++
	default:
		c.problem("row %d: dir is %d; 1 is up, -1 is down", n, r.Dir)
	}
	if r.Length < dataset.EthernetHeader || r.PayloadLength < 0 || r.PayloadLength > r.Length-dataset.EthernetHeader {
		c.problem("row %d: %d bytes of payload in a frame of %d", n, r.PayloadLength, r.Length)
	}
}

// problem notes what is wrong in this home.
func (c *homeCheck) problem(format string, args ...any) {
	c.v.problem("%s: "+format, append([]any{dataset.HomeDir(c.home.Home)}, args...)...)
}

// label holds a row's labels against the vocabulary, the home's units and its events.
func (c *homeCheck) label(r *dataset.Row) {
	switch u := c.units[r.Unit]; {
	case !r.Owned():
	case u == nil:
		c.problem("row %d: label_unit is %q, which is no unit of this home", r.Frame, r.Unit)
	case u.Name != r.Device || u.Class != r.Class || u.Kind != r.Kind || u.Category != r.Category:
		c.problem("row %d: labelled %s, of class %s, kind %s and category %s, but the home's %s is %s, %s, %s, %s", r.Frame, r.Device, r.Class, r.Kind, r.Category,
			r.Unit, u.Name, u.Class, u.Kind, u.Category)
	}
	for i, value := range [len(labelColumns)]string{r.Device, r.Unit, r.Class, r.Kind, r.Category, r.Activity, r.Role} {
		if !c.vocabulary[i][value] {
			c.problem("row %d: %s is %q, which is not in the vocabulary", r.Frame, labelColumns[i], value)
		}
	}
	if r.Event != packet.EventNone && !c.events.has(r.Event) {
		c.problem("row %d: there is no event %d", r.Frame, r.Event)
	}
}

// secrets are the words that must not be seen on the WAN: the names of devices, units and of what they do.
func secrets(d *dataset.Dataset, h dataset.HomeInfo) [][]byte {
	words := make(map[string]bool)
	for _, u := range h.Devices {
		words[u.Name], words[u.Unit], words[u.MAC] = true, true, true
	}
	for _, a := range d.Manifest.Vocabulary["label_activity"] {
		if len(a) >= 8 { // a shorter word may come up by chance
			words[a] = true
		}
	}
	var out [][]byte
	delete(words, "") // would be found everywhere
	for w := range words {
		out = append(out, []byte(w))
	}
	return out
}

// eventSet holds the numbers of a home's events, which are dense but where a run was killed.
type eventSet struct {
	dense int64 // all below
	more  map[int64]bool
}

func (s *eventSet) add(event int64) {
	if event == s.dense {
		s.dense++
		return
	}
	if s.more == nil {
		s.more = make(map[int64]bool)
	}
	s.more[event] = true
}

func (s *eventSet) has(event int64) bool { return event >= 0 && event < s.dense || s.more[event] }
