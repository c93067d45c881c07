package write

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/parquetfile"
)

// Build turns a home's journals into its Parquet files, and removes them.
func Build(dir string) error {
	if err := buildRows(dir, -1, nil); err != nil {
		return err
	}
	events, err := readEventJournal(filepath.Join(dir, dataset.JournalEvent))
	if err != nil {
		return err
	}
	if err := writeEvents(dir, events); err != nil {
		return err
	}
	return RemoveJournals(dir)
}

// RemoveJournals removes a home's journals, the rows first: while they are there, so are the events, and the Parquet files can be built again.
func RemoveJournals(dir string) error {
	for _, name := range []string{dataset.JournalRows, dataset.JournalEvent} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// buildRows writes packets.parquet from the journal, at most limit rows (all if negative). See is called with each
// row, if it is not nil.
func buildRows(dir string, limit int64, see func(*dataset.Row)) error {
	out, err := createPackets(filepath.Join(dir, dataset.FilePackets))
	if err != nil {
		return err
	}
	n := int64(0)
	_, err = readRowJournal(filepath.Join(dir, dataset.JournalRows), func(r *dataset.Row) error {
		if limit >= 0 && n >= limit {
			return errEnough
		}
		n++
		if see != nil {
			see(r)
		}
		return out.add(r)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err := errors.Join(err, out.close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(dir, dataset.FilePackets), err)
	}
	return nil
}

var errEnough = errors.New("enough rows")

func writeEvents(dir string, events []dataset.Event) error {
	out, err := parquetfile.Create[dataset.EventRecord](filepath.Join(dir, dataset.FileEvents))
	if err != nil {
		return err
	}
	slices.SortFunc(events, func(a, b dataset.Event) int { return cmp.Compare(a.Event, b.Event) })
	for i := range events {
		if err = out.Add(events[i].Record()); err != nil {
			break
		}
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(dir, dataset.FileEvents), err)
	}
	return nil
}

// readEventJournal returns the events; a line that is cut short ends the journal, and a journal that is not there is empty.
func readEventJournal(path string) ([]dataset.Event, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var events []dataset.Event
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		var e dataset.Event
		if err != nil || json.Unmarshal(line, &e) != nil { // the last line is whole only with its end
			return events, nil
		}
		events = append(events, e)
	}
}

// openEvents collects the events that rows name and that are not in the journal: those that had not ended when the run was
// killed. What the rows do not tell of them stays unknown.
type openEvents struct {
	known  map[int64]bool
	events []dataset.Event
}

func newOpenEvents(journal []dataset.Event) *openEvents {
	o := &openEvents{known: make(map[int64]bool)}
	for i := range journal {
		o.known[journal[i].Event] = true
	}
	return o
}

func (o *openEvents) see(r *dataset.Row) {
	if r.Event == packet.EventNone || o.known[r.Event] {
		return
	}
	o.known[r.Event] = true
	o.events = append(o.events, dataset.Event{
		Event: r.Event, Device: r.Device, Unit: r.Unit, Activity: r.Activity, Trigger: dataset.Unknown, Actor: dataset.Unknown,
		TScript: -1, TStart: -1, TEnd: -1, Outcome: "cut",
	})
}
