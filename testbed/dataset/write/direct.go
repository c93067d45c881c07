package write

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// DirectOptions say how a DirectHome writes.
type DirectOptions struct {
	Options
	Nowhere    bool            // write no file at all: observations and counts alone
	Captures   bool            // write wan.pcapng
	LAN        bool            // and lan.pcapng, and those of the radios
	Units      []dataset.Label // by packet.Lineage.Unit: Device, Unit, Class, Kind and Category of each
	Activities []string        // by packet.Lineage.Activity; 0 is "none"
}

// DirectHome writes a home's files straight from one goroutine, without locks, journals or copies: for a world that can be
// made again if it is killed. The steady path allocates nothing, and memory does not grow with the run. Errors are kept, and
// told by Close.
type DirectHome struct {
	dir    string
	o      DirectOptions
	lan    *pcapng.DirectWriter // nil where it is not written
	wan    *pcapng.DirectWriter
	air    [2]*pcapng.DirectWriter // by radio
	rows   *packetWriter
	events *eventSorter
	parser *dataset.Parser
	frame  []byte // Ethernet header and a copy of the packet, for what must be decoded in its frame

	lanTs, wanTs   int64
	lanN, wanN     int64
	airN           [2]int64
	up, withoutLAN int64
	units          int     // of them, then the codes of the gateway, the internet and the unknown
	byUnit         []int64 // packets by code
	hashes         map[string]string
	err            error
}

// CreateDirectHome makes a home's directory and opens its files, over those of a home that was not finished.
func CreateDirectHome(dir string, o DirectOptions) (*DirectHome, error) {
	d := &DirectHome{
		dir: dir, o: o, parser: dataset.NewParser(), frame: make([]byte, dataset.EthernetHeader, dataset.EthernetHeader+packet.MaxSize),
		units: len(o.Units), hashes: make(map[string]string),
	}
	d.byUnit = make([]int64, d.units+3)
	if o.Nowhere {
		return d, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if d.rows, err = createPackets(filepath.Join(dir, dataset.FilePackets)); err != nil {
		return nil, err
	}
	for _, u := range o.Units {
		d.rows.unit(u)
	}
	for _, own := range []string{dataset.NameGateway, dataset.NameInternet} {
		d.rows.unit(dataset.Label{Device: own, Unit: own, Class: own, Kind: dataset.NameInfrastructure, Category: dataset.NameInfrastructure})
	}
	d.rows.unit(dataset.Label{Device: dataset.Unknown, Unit: dataset.Unknown, Class: dataset.Unknown, Kind: dataset.Unknown, Category: dataset.Unknown})
	for _, a := range o.Activities {
		d.rows.activity(a)
	}
	d.events = newEventSorter(dir)
	if o.Captures {
		d.wan, err = pcapng.CreateDirect(filepath.Join(dir, dataset.FileWAN), pcapng.LinkEthernet, "wan", o.Comment, o.Snaplen)
	}
	if o.Captures && o.LAN && err == nil {
		d.lan, err = pcapng.CreateDirect(filepath.Join(dir, dataset.FileLAN), pcapng.LinkEthernet, "lan", o.Comment, o.Snaplen)
		if err == nil {
			d.air, err = createAir(dir, &o.Options, func(path string, r dataset.Radio) (*pcapng.DirectWriter, error) {
				return pcapng.CreateDirect(path, r.Link, r.Name, o.Comment, o.Snaplen)
			})
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.Abort())
	}
	return d, nil
}

func (d *DirectHome) fail(err error) {
	if err != nil && d.err == nil {
		d.err = err
	}
}

// LAN counts, and appends, a frame of length bytes that passed at (ns of script time), and returns its 1-based number.
// Frame may be only its beginning: a capture keeps at most what is there.
func (d *DirectHome) LAN(at int64, frame []byte, length int) int64 {
	d.lanN++
	if d.lan != nil {
		d.lanTs = max(d.o.EpochNs+at, d.lanTs)
		d.fail(d.lan.Append(d.lanTs, nil, frame, max(length, len(frame))))
	}
	return d.lanN
}

// WAN appends an IP packet of length bytes that passed the tap at (ns of script time, below 0 before the start), with an
// Ethernet header of the gateway's and the ISP router's addresses, and tells o what an observer sees of it. IP may be only
// its beginning: see Parser.ObserveLen; a capture keeps at most what is there. Times are strictly in the order of the calls.
func (d *DirectHome) WAN(o *dataset.Observation, at int64, dir int8, ip []byte, length int) {
	length = max(length, len(ip))
	d.wanTs = max(d.o.EpochNs+at, d.wanTs+1)
	d.wanN++
	direct := d.parser.ObserveIP(o, d.wanTs, dir, ip, length)
	o.Frame = d.wanN
	if direct && d.wan == nil {
		return
	}
	h := d.frame[:dataset.EthernetHeader]
	putEthernet(h, &d.o.Options, dir, ip)
	if d.wan != nil {
		d.fail(d.wan.Append(d.wanTs, h, ip, dataset.EthernetHeader+length))
	}
	if !direct {
		d.frame = append(h, ip...)
		*o = d.parser.ObserveLen(d.wanTs, dir, d.frame, dataset.EthernetHeader+length)
		o.Frame = d.wanN
	}
}

// Row appends the row of an observation, in the order of frames. Its labels are those of the lineage's unit, activity, role,
// event and LAN frame; lost tells that the packet died after the tap.
func (d *DirectHome) Row(o *dataset.Observation, x packet.Lineage, lost bool) {
	unit := d.units + 2
	switch {
	case x.Unit >= 0 && int(x.Unit) < d.units:
		unit = int(x.Unit)
	case x.Unit == packet.UnitGateway:
		unit = d.units
	case x.Unit == packet.UnitInternet:
		unit = d.units + 1
	}
	activity := x.Activity
	if int(activity) >= len(d.o.Activities) {
		activity = 0
	}
	d.byUnit[unit]++
	if o.Dir > 0 {
		d.up++
	}
	if x.LANFrame == 0 {
		d.withoutLAN++
	}
	if d.rows == nil {
		return
	}
	d.fail(d.rows.append(o, uint16(unit), activity, uint8(x.Role), x.Event, x.LANFrame, lost))
}

// Event adds an event; they come in any order, and each once.
func (d *DirectHome) Event(e *dataset.Event) {
	if d.events != nil {
		d.fail(d.events.add(e))
	}
}

// Close writes what is left and closes the files. It returns the first error of the home.
func (d *DirectHome) Close() error {
	if d.o.Nowhere {
		return d.err
	}
	d.closeCaptures()
	if d.rows != nil {
		d.fail(d.rows.close())
		d.hashes[dataset.FilePackets] = d.rows.f.Sum()
		if d.rows.total != d.wanN {
			d.fail(fmt.Errorf("%d frames have %d rows", d.wanN, d.rows.total))
		}
		d.rows = nil
	}
	d.fail(d.events.close())
	if d.err != nil {
		return fmt.Errorf("writing %s: %w", d.dir, d.err)
	}
	var err error
	d.hashes[dataset.FileEvents], err = dataset.HashFile(filepath.Join(d.dir, dataset.FileEvents))
	return err
}

func (d *DirectHome) closeCaptures() {
	if d.lan != nil {
		d.fail(d.lan.Close())
		d.hashes[dataset.FileLAN] = d.lan.Sum()
	}
	if d.wan != nil {
		d.fail(d.wan.Close())
		d.hashes[dataset.FileWAN] = d.wan.Sum()
	}
	for i, r := range dataset.Radios() {
		if d.air[i] != nil {
			d.fail(d.air[i].Close())
			d.hashes[r.File] = d.air[i].Sum()
			d.air[i] = nil
		}
	}
	d.lan, d.wan = nil, nil
}

// Abort closes the files and removes the home.
func (d *DirectHome) Abort() error {
	if d.o.Nowhere {
		return nil
	}
	d.closeCaptures()
	if d.rows != nil {
		_ = d.rows.f.Close()
		d.rows = nil
	}
	if d.events != nil {
		_ = d.events.abort()
	}
	return os.RemoveAll(d.dir)
}

// Hashes returns the sha256 of the files by name, once the home is closed.
func (d *DirectHome) Hashes() map[string]string { return maps.Clone(d.hashes) }

// Counts returns what was written so far. What stayed local and what was dropped is for the caller to add.
func (d *DirectHome) Counts() dataset.Counts {
	c := dataset.Counts{
		LAN: d.lanN, WAN: d.wanN, Up: d.up, Down: d.wanN - d.up, WithoutLAN: d.withoutLAN, Drops: map[string]int64{},
		Zigbee: d.airN[0], BLE: d.airN[1], ByDevice: make(map[string]int64),
	}
	if d.events != nil {
		c.Events = d.events.n
	}
	for unit, n := range d.byUnit {
		if n > 0 {
			c.ByDevice[d.device(unit)] += n
		}
	}
	return c
}

func (d *DirectHome) device(unit int) string {
	switch unit - d.units {
	case 0:
		return dataset.NameGateway
	case 1:
		return dataset.NameInternet
	case 2:
		return dataset.Unknown
	}
	return d.o.Units[unit].Device
}
