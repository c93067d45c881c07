package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"glasshouse/emulator/packet"
)

// homeCheck checks one home, row by row beside its frames.
type homeCheck struct {
	d    *Dataset
	v    *VerifyResult
	home HomeInfo

	events     map[int64]bool
	lan        []lanFrame
	macs       map[string][6]byte // of units
	vocabulary [len(labelColumns)]map[string]bool
	secrets    [][]byte
	parser     *Parser
	last       int64 // time of the row before, ns
	counts     Counts
}

var labelColumns = [...]string{
	"label_device", "label_unit", "label_class", "label_kind", "label_category", "label_activity", "label_role",
}

func (c *homeCheck) run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	dir := c.d.HomePath(c.home.Home)
	wan, err := OpenCapture(filepath.Join(dir, FileWAN))
	if err != nil {
		return err
	}
	defer wan.Close()
	if err := ReadRows(filepath.Join(dir, FilePackets), func(r *Row) error {
		c.counts.WAN++
		f, err := wan.Read()
		if err != nil {
			return fmt.Errorf("row %d has no frame: %w", c.counts.WAN, err)
		}
		c.row(r, f)
		return nil
	}); err != nil {
		return err
	}
	c.v.Checked += c.counts.WAN
	if _, err := wan.Read(); !errors.Is(err, io.EOF) {
		c.v.problem("%s: more frames than rows", HomeDir(c.home.Home))
	}
	if c.home.Packets != c.counts.WAN {
		c.v.problem("%s: the manifest counts %d packets, the file holds %d", HomeDir(c.home.Home), c.home.Packets, c.counts.WAN)
	}
	return nil
}

// prepare reads what rows are compared with.
func (c *homeCheck) prepare() error {
	dir := c.d.HomePath(c.home.Home)
	c.events = make(map[int64]bool)
	if err := ReadEvents(filepath.Join(dir, FileEvents), func(e *Event) error {
		if c.events[e.Event] {
			c.v.problem("%s: event %d is there twice", FileEvents, e.Event)
		}
		c.events[e.Event] = true
		c.counts.Events++
		return nil
	}); err != nil {
		return err
	}
	var err error
	if c.lan, err = lanDigests(filepath.Join(dir, FileLAN)); err != nil {
		return err
	}
	c.counts.LAN = int64(len(c.lan))
	c.macs = make(map[string][6]byte)
	for _, u := range c.home.Devices {
		mac, err := net.ParseMAC(u.MAC)
		if err != nil || len(mac) != 6 {
			return fmt.Errorf("%s: the MAC address of %s is %q", FileManifest, u.Unit, u.MAC)
		}
		c.macs[u.Unit] = [6]byte(mac)
	}
	for i, column := range labelColumns {
		c.vocabulary[i] = make(map[string]bool)
		for _, word := range c.d.Manifest.Vocabulary[column] {
			c.vocabulary[i][word] = true
		}
	}
	c.secrets, c.parser, c.last = c.d.secrets(c.home), NewParser(), -1
	return nil
}

func (c *homeCheck) row(r *Row, f Frame) {
	n := c.counts.WAN
	want := c.parser.Observe(f.TsNs, r.Dir, f.Data)
	want.Frame, want.Length = n, int32(f.Length)
	if len(f.Data) < f.Length { // a snapshot: what lies beyond it cannot be checked
		want.PayloadLength, want.AppProto = r.PayloadLength, r.AppProto
	}
	if r.Observation != want {
		c.v.problem("row %d is %+v, its frame shows %+v", n, r.Observation, want)
	}
	if r.TsNs <= c.last {
		c.v.problem("row %d is not after row %d in time", n, n-1)
	}
	c.last = r.TsNs
	switch r.Dir {
	case packet.Up:
		c.counts.Up++
	case packet.Down:
		c.counts.Down++
	default:
		c.v.problem("row %d: dir is %d; 1 is up, -1 is down", n, r.Dir)
	}
	c.label(r)
	if r.LANFrame == 0 {
		c.counts.WithoutLAN++
	} else {
		c.carrier(r, f)
	}
	for _, s := range c.secrets {
		if bytes.Contains(f.Data, s) {
			c.v.problem("frame %d of %s says %q", n, FileWAN, s)
		}
	}
}

func (c *homeCheck) label(r *Row) {
	for i, value := range [len(labelColumns)]string{r.Device, r.Unit, r.Class, r.Kind, r.Category, r.Activity, r.Role} {
		if !c.vocabulary[i][value] {
			c.v.problem("row %d: %s is %q, which is not in the vocabulary", r.Frame, labelColumns[i], value)
		}
	}
	if r.Event != packet.EventNone && !c.events[r.Event] {
		c.v.problem("row %d: there is no event %d", r.Frame, r.Event)
	}
}

// secrets are the words that must not be seen on the WAN: the names of devices, units and of what they do.
func (d *Dataset) secrets(h HomeInfo) [][]byte {
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
