package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

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
