package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"glasshouse/emulator/packet"
)

// VerifyResult says what Verify found.
type VerifyResult struct {
	OK       bool     `json:"ok"`
	Checked  int64    `json:"checked"` // packets
	Problems []string `json:"problems"`
	Repaired []string `json:"repaired,omitempty"`
}

// maxProblems bounds the list: a broken file would fill it.
const maxProblems = 50

func (v *VerifyResult) problem(format string, args ...any) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Verify checks a data set against itself: every hash; row i against frame i; times; labels against the vocabulary and the
// events; LAN frames; and that no truth is in the WAN capture. With repair, what a killed run left behind is put in order first.
func Verify(dir string, repair bool) (*VerifyResult, error) {
	d, err := Open(dir)
	if err != nil {
		return nil, err
	}
	v := &VerifyResult{Problems: []string{}}
	if d.Manifest.State == StateRunning {
		if !repair {
			v.problem("the run did not end, or still goes on: --repair puts what it left in order")
			return v, nil
		}
		if err := d.repair(v); err != nil {
			return nil, err
		}
	}
	d.verifyHashes(v)
	totals := make(map[string]int64)
	for _, h := range d.Manifest.Homes {
		if err := d.verifyHome(h, v, totals); err != nil {
			v.problem("%v", err)
		}
	}
	c := d.Manifest.Counts
	for name, want := range map[string]int64{"wan": c.WAN, "up": c.Up, "down": c.Down} {
		if totals[name] != want {
			v.problem("the manifest counts %d packets %s, the files hold %d", want, name, totals[name])
		}
	}
	sort.Strings(v.Problems)
	v.OK = len(v.Problems) == 0
	return v, nil
}

func (d *Dataset) verifyHashes(v *VerifyResult) {
	have, err := hashAll(d.Dir)
	if err != nil {
		v.problem("%v", err)
		return
	}
	for path, want := range d.Manifest.Files {
		if got, ok := have[path]; !ok {
			v.problem("%s: missing", path)
		} else if got != want {
			v.problem("%s: sha256 differs from the manifest's", path)
		}
		delete(have, path)
	}
	for path := range have {
		v.problem("%s: not in the manifest", path)
	}
}

func (d *Dataset) verifyHome(h HomeInfo, v *VerifyResult, totals map[string]int64) error {
	dir := d.HomePath(h.Home)
	events := make(map[int64]bool)
	if err := ReadEvents(filepath.Join(dir, FileEvents), func(e *Event) error {
		if events[e.Event] {
			v.problem("%s: event %d is there twice", FileEvents, e.Event)
		}
		events[e.Event] = true
		return nil
	}); err != nil {
		return err
	}
	lan, err := lanDigests(filepath.Join(dir, FileLAN))
	if err != nil {
		return err
	}
	wan, err := OpenCapture(filepath.Join(dir, FileWAN))
	if err != nil {
		return err
	}
	defer wan.Close()
	secrets := d.secrets(h)
	parser := NewParser()
	used := make(map[int64]bool)
	last, n := int64(-1), int64(0)
	err = ReadRows(filepath.Join(dir, FilePackets), func(r *Row) error {
		n++
		f, err := wan.Read()
		if err != nil {
			return fmt.Errorf("row %d has no frame: %w", n, err)
		}
		want := parser.Observe(f.TsNs, r.Dir, f.Data)
		want.Frame, want.Length = n, int32(f.Length)
		if len(f.Data) < f.Length { // a snapshot: what lies beyond it cannot be checked
			want.PayloadLength, want.AppProto = r.PayloadLength, r.AppProto
		}
		if r.Observation != want {
			v.problem("row %d is %+v, its frame shows %+v", n, r.Observation, want)
		}
		if r.TsNs <= last {
			v.problem("row %d is not after row %d in time", n, n-1)
		}
		last = r.TsNs
		d.verifyLabel(r, v, events)
		if r.LANFrame != 0 {
			if used[r.LANFrame] {
				v.problem("row %d: LAN frame %d carries another packet already", n, r.LANFrame)
			}
			used[r.LANFrame] = true
			if r.LANFrame > int64(len(lan)) {
				v.problem("row %d: there is no LAN frame %d", n, r.LANFrame)
			} else if d.Manifest.Path == "napt" && len(f.Data) == f.Length && lan[r.LANFrame-1] != payloadOf(f.Data) {
				v.problem("row %d: LAN frame %d does not carry this packet", n, r.LANFrame)
			}
		}
		for _, s := range secrets {
			if bytes.Contains(f.Data, s) {
				v.problem("frame %d of %s says %q", n, FileWAN, s)
			}
		}
		totals["wan"]++
		if r.Dir > 0 {
			totals["up"]++
		} else {
			totals["down"]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.Checked += n
	if _, err := wan.Read(); !errors.Is(err, io.EOF) {
		v.problem("%s: more frames than rows", HomeDir(h.Home))
	}
	if h.Packets != n {
		v.problem("%s: the manifest counts %d packets, the file holds %d", HomeDir(h.Home), h.Packets, n)
	}
	return nil
}

func (d *Dataset) verifyLabel(r *Row, v *VerifyResult, events map[int64]bool) {
	for column, value := range map[string]string{
		"label_device": r.Device, "label_unit": r.Unit, "label_class": r.Class, "label_kind": r.Kind,
		"label_category": r.Category, "label_activity": r.Activity, "label_role": r.Role,
	} {
		if !slices.Contains(d.Manifest.Vocabulary[column], value) {
			v.problem("row %d: %s is %q, which is not in the vocabulary", r.Frame, column, value)
		}
	}
	if r.Event != packet.EventNone && !events[r.Event] {
		v.problem("row %d: there is no event %d", r.Frame, r.Event)
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
	for w := range words {
		out = append(out, []byte(w))
	}
	return out
}

// lanDigests returns what each LAN frame carries above its transport header, in brief.
func lanDigests(path string) ([]payloadID, error) {
	r, err := OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []payloadID
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, payloadOf(f.Data))
	}
}

// payloadID tells packets apart by what NAPT leaves alone.
type payloadID struct {
	proto uint8
	size  int
	sum   uint64
}

func payloadOf(frame []byte) payloadID {
	if len(frame) < EthernetHeader+20 || frame[12] != 8 || frame[13] != 0 {
		return payloadID{}
	}
	ip := frame[EthernetHeader:]
	ihl := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ihl < 20 || total < ihl || total > len(ip) {
		return payloadID{}
	}
	l4 := ip[ihl:total]
	id := payloadID{proto: ip[9], size: len(l4)}
	switch {
	case ip[9] == 6 && len(l4) >= 20: // sequence and acknowledgement numbers, flags, window, payload
		id.sum = fnv(fnv(fnvBasis, l4[4:16]), l4[18:])
	case ip[9] == 17 && len(l4) >= 8:
		id.sum = fnv(fnvBasis, l4[8:])
	case ip[9] == 1 && len(l4) >= 8 && (l4[0] == 0 || l4[0] == 8):
		id.sum = fnv(fnvBasis, l4[6:])
	}
	return id
}

const fnvBasis = uint64(14695981039346656037)

func fnv(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// repair puts in order what a killed run left: captures end with their last whole block, the WAN capture with the last row,
// and the Parquet files are built from the journals.
func (d *Dataset) repair(v *VerifyResult) error {
	s := &Set{dir: d.Dir, Manifest: d.Manifest}
	c := &s.Manifest.Counts
	*c = Counts{}
	for i := range s.Manifest.Homes {
		h := &s.Manifest.Homes[i]
		n, err := repairHome(d.HomePath(h.Home), v, c)
		if err != nil {
			return err
		}
		h.Packets = n
		v.Repaired = append(v.Repaired, fmt.Sprintf("%s: %d packets and their rows", HomeDir(h.Home), n))
	}
	s.Manifest.Reasons = append(s.Manifest.Reasons, "the run was killed")
	if err := s.Finish(StateCut); err != nil {
		return err
	}
	d.Manifest = s.Manifest
	return nil
}

func repairHome(dir string, v *VerifyResult, c *Counts) (int64, error) {
	lan, err := truncateCapture(filepath.Join(dir, FileLAN), -1)
	if err != nil {
		return 0, err
	}
	frames, err := truncateCapture(filepath.Join(dir, FileWAN), -1)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(dir, journalRows)); err == nil {
		keep := frames
		rows, err := readRowJournal(filepath.Join(dir, journalRows), func(r *Row) error {
			if r.LANFrame > lan { // its LAN frame was not on disk yet
				keep = min(keep, r.Frame-1)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		keep = min(keep, rows)
		if keep < frames {
			v.Repaired = append(v.Repaired, fmt.Sprintf("%d frames had no label yet: left out", frames-keep))
			if _, err := truncateCapture(filepath.Join(dir, FileWAN), keep); err != nil {
				return 0, err
			}
		}
		if err := buildParquet(dir, keep); err != nil {
			return 0, err
		}
		frames = keep
	}
	c.LAN += lan
	return frames, ReadRows(filepath.Join(dir, FilePackets), func(r *Row) error {
		c.WAN++
		if r.Dir > 0 {
			c.Up++
		} else {
			c.Down++
		}
		return nil
	})
}

// truncateCapture cuts a capture after its last whole block, or after limit packets if it is not negative, and returns the
// number of packets left.
func truncateCapture(path string, limit int64) (int64, error) {
	r, err := OpenCapture(path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for n := int64(0); ; n++ {
		_, err := r.Read()
		var cut *CutError
		switch {
		case err == nil && n == limit:
			return n, os.Truncate(path, r.start)
		case errors.Is(err, io.EOF):
			return n, nil
		case errors.As(err, &cut):
			return n, os.Truncate(path, cut.Offset)
		case err != nil:
			return n, err
		}
	}
}
