package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
	"glasshouse/testbed/dataset/write"
)

// repair puts in order what a killed run left: captures end with their last whole block, the WAN capture with the last row,
// and the Parquet files are built from the journals. Repair that is itself killed can be repeated.
func repair(d *dataset.Dataset, v *Result) error {
	if d.HasHomesJournal() {
		n, err := d.KeepWholeHomes()
		if err == nil {
			v.Repaired = append(v.Repaired, fmt.Sprintf("%d homes are whole, and kept", n))
		}
		return err
	}
	s := d.Reopen()
	m := &s.Manifest
	m.Counts = dataset.Counts{Drops: map[string]int64{}}
	last := int64(0)
	for i := range m.Homes {
		h := &m.Homes[i]
		r := homeRepair{dir: d.HomePath(h.Home), v: v}
		if err := r.run(); err != nil {
			return err
		}
		h.Packets = r.counts.WAN
		m.Counts.Add(&r.counts)
		last = max(last, r.last)
		v.Repaired = append(v.Repaired, fmt.Sprintf("%s: %d packets and their rows", dataset.HomeDir(h.Home), h.Packets))
	}
	if last > m.StartNs {
		m.DurationNs = min(m.DurationNs, last-m.StartNs)
	}
	m.Valid = false // nobody measured how well it went
	m.Reasons = append(m.Reasons, "the run was killed")
	if err := s.RemoveParts(); err != nil {
		return err
	}
	if err := s.Finish(dataset.StateCut); err != nil {
		return err
	}
	d.Manifest = *m
	return nil
}

// homeRepair repairs one home.
type homeRepair struct {
	dir    string
	v      *Result
	counts dataset.Counts
	last   int64 // the last packet's time, ns UTC epoch
}

func (h *homeRepair) path(name string) string { return filepath.Join(h.dir, name) }

func (h *homeRepair) run() error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	lan, err := h.mend(dataset.FileLAN, "lan")
	if err != nil {
		return err
	}
	frames, err := h.mend(dataset.FileWAN, "wan")
	if err != nil {
		return err
	}
	built, err := write.Built(h.dir)
	if err != nil {
		return err
	}
	if !built {
		if err := h.rebuild(lan, frames); err != nil {
			return err
		}
	}
	if err := write.RemoveJournals(h.dir); err != nil {
		return err
	}
	if err := h.count(lan); err != nil {
		return err
	}
	return h.mendAir()
}

// rebuild makes the Parquet files from the journals, of as many rows as have a frame and whose LAN frame is there.
func (h *homeRepair) rebuild(lan, frames int64) error {
	keep, err := write.LabelledFrames(h.dir, lan, frames)
	if err != nil {
		return err
	}
	if keep < frames {
		h.v.Repaired = append(h.v.Repaired, fmt.Sprintf("%d frames had no label yet: left out", frames-keep))
		if _, err := pcapng.Truncate(h.path(dataset.FileWAN), pcapng.LinkEthernet, keep); err != nil {
			return err
		}
	}
	n, err := write.Rebuild(h.dir, keep)
	if err != nil {
		return err
	}
	if n > 0 {
		h.v.Repaired = append(h.v.Repaired, fmt.Sprintf("%d events had not ended: added as cut, with what their packets tell of them", n))
	}
	return nil
}

func (h *homeRepair) count(lan int64) error {
	c := &h.counts
	c.LAN, c.Drops, c.ByDevice = lan, map[string]int64{}, map[string]int64{}
	if err := dataset.ReadRows(h.path(dataset.FilePackets), func(r *dataset.Row) error {
		c.WAN++
		if r.Dir > 0 {
			c.Up++
		} else {
			c.Down++
		}
		if r.LANFrame == 0 {
			c.WithoutLAN++
		}
		c.ByDevice[r.Device]++
		h.last = max(h.last, r.TsNs)
		return nil
	}); err != nil {
		return err
	}
	// What stayed local and what was dropped is not told apart once the run is gone.
	c.Drops["local_or_dropped"] = c.LAN - (c.WAN - c.WithoutLAN)
	return dataset.ReadEvents(h.path(dataset.FileEvents), func(*dataset.Event) error { c.Events++; return nil })
}

// mend cuts a capture after its last whole block; one that did not get as far as its header, gets one. It returns the number
// of packets.
func (h *homeRepair) mend(name, iface string) (int64, error) {
	header := pcapng.AppendHeader(nil, pcapng.LinkEthernet, iface, "", pcapng.DefaultSnaplen)
	st, err := os.Stat(h.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err != nil || st.Size() < 4 {
		return 0, os.WriteFile(h.path(name), header, 0o644)
	}
	n, err := pcapng.Truncate(h.path(name), pcapng.LinkEthernet, -1)
	if err != nil || n > 0 {
		return n, err
	}
	if st, err = os.Stat(h.path(name)); err == nil && st.Size() < int64(len(header)) { // a section without its interface
		err = os.WriteFile(h.path(name), header, 0o644)
	}
	return 0, err
}
