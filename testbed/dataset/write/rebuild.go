package write

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"glasshouse/testbed/dataset"
)

// What repair needs of a home whose run was killed: its journals, if it did not get as far as its Parquet files.

// Built tells whether a run got as far as a home's Parquet files: the journal of rows is removed once they are whole. Where there is
// neither, the journal is made, empty.
func Built(dir string) (bool, error) {
	journal := filepath.Join(dir, dataset.JournalRows)
	if _, err := os.Stat(journal); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	_, err := os.Stat(filepath.Join(dir, dataset.FilePackets))
	if errors.Is(err, fs.ErrNotExist) { // killed before the journal was made
		return false, os.WriteFile(journal, []byte(journalMagic), 0o644)
	}
	return err == nil, err
}

// LabelledFrames returns how many of a home's WAN frames, from the first on, have a row in the journal whose LAN frame is among the
// first lan ones.
func LabelledFrames(dir string, lan, frames int64) (int64, error) {
	keep := frames
	rows, err := readRowJournal(filepath.Join(dir, dataset.JournalRows), func(r *dataset.Row) error {
		if r.LANFrame > lan { // its LAN frame was not on disk yet
			keep = min(keep, r.Frame-1)
		}
		return nil
	})
	return min(keep, rows), err
}

// Rebuild makes a home's Parquet files from its journals, of the first rows. It returns how many events had not ended: they are added
// as cut.
func Rebuild(dir string, rows int64) (cut int, err error) {
	events, err := readEventJournal(filepath.Join(dir, dataset.JournalEvent))
	if err != nil {
		return 0, err
	}
	open := newOpenEvents(events)
	if err := buildRows(dir, rows, open.see); err != nil {
		return 0, err
	}
	return len(open.events), writeEvents(dir, append(events, open.events...))
}
