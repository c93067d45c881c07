package write

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/parquetfile"
)

// eventSorter puts events, which end in any order, in the order of their numbers. Those near the newest are in memory; older
// ones, and those that end long after their neighbours, go to a scratch file at the place of their number. Memory does not
// grow with the run, however long an event is open.
type eventSorter struct {
	dir     string
	scratch *os.File
	base    int64 // number of window[0]
	window  []eventSlot
	n       int64 // events
	names   []string
	ids     map[string]uint16
	buf     []byte
}

// eventSlot is an event in 64 bytes, its texts numbered.
type eventSlot struct {
	used                  bool
	names                 [7]uint16
	tScript, tStart, tEnd int64
}

const (
	eventWindow = 1 << 13
	eventSize   = 40 // of a slot in the scratch file, bytes
	eventAhead  = 1 << 24
	fileScratch = "events.scratch"
)

func newEventSorter(dir string) *eventSorter {
	return &eventSorter{dir: dir, window: make([]eventSlot, eventWindow), ids: make(map[string]uint16)}
}

func (s *eventSorter) add(e *dataset.Event) error {
	if e.Event < 0 || e.Event > s.base+eventAhead {
		return fmt.Errorf("event %d came when %d was the newest: numbers are dense from 0", e.Event, s.base+eventWindow-1)
	}
	slot := eventSlot{used: true, tScript: e.TScript, tStart: e.TStart, tEnd: e.TEnd}
	for i, name := range [...]string{e.Device, e.Unit, e.Activity, e.Trigger, e.Actor, e.Outcome, e.Kit} {
		id, ok := s.ids[name]
		if !ok {
			if len(s.names) == 1<<16 {
				return fmt.Errorf("event %d: more than %d names", e.Event, len(s.names))
			}
			id = uint16(len(s.names))
			s.names = append(s.names, name)
			s.ids[name] = id
		}
		slot.names[i] = id
	}
	s.n++
	if e.Event < s.base {
		return s.put(e.Event, []eventSlot{slot})
	}
	for e.Event >= s.base+eventWindow {
		if err := s.slide(eventWindow / 2); err != nil {
			return err
		}
	}
	at := &s.window[e.Event-s.base]
	if at.used {
		return fmt.Errorf("event %d came twice", e.Event)
	}
	*at = slot
	return nil
}

// slide moves the oldest slots to the scratch file.
func (s *eventSorter) slide(n int) error {
	err := s.put(s.base, s.window[:n])
	copy(s.window, s.window[n:])
	clear(s.window[len(s.window)-n:])
	s.base += int64(n)
	return err
}

func (s *eventSorter) put(event int64, slots []eventSlot) error {
	if s.scratch == nil {
		var err error
		if s.scratch, err = os.OpenFile(filepath.Join(s.dir, fileScratch), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644); err != nil {
			return err
		}
	}
	b := s.buf[:0]
	for i := range slots {
		e := &slots[i]
		for _, id := range e.names {
			b = binary.LittleEndian.AppendUint16(b, id)
		}
		used := uint16(0)
		if e.used {
			used = 1
		}
		b = binary.LittleEndian.AppendUint16(b, used)
		for _, t := range [...]int64{e.tScript, e.tStart, e.tEnd} {
			b = binary.LittleEndian.AppendUint64(b, uint64(t))
		}
	}
	s.buf = b
	_, err := s.scratch.WriteAt(b, event*eventSize)
	return err
}

// close writes events.parquet and removes the scratch file.
func (s *eventSorter) close() error {
	out, err := parquetfile.Create[dataset.EventRecord](filepath.Join(s.dir, dataset.FileEvents))
	if err != nil {
		return err
	}
	err = s.each(func(e *dataset.Event) error { return out.Add(e.Record()) })
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(s.dir, dataset.FileEvents), err)
	}
	return s.abort()
}

// each gives the events in order.
func (s *eventSorter) each(yield func(*dataset.Event) error) error {
	n := int64(0)
	give := func(event int64, slot *eventSlot) error {
		if !slot.used {
			return nil
		}
		n++
		name := func(i int) string { return s.names[slot.names[i]] }
		return yield(&dataset.Event{
			Event: event, Device: name(0), Unit: name(1), Activity: name(2), Trigger: name(3), Actor: name(4), Outcome: name(5), Kit: name(6),
			TScript: slot.tScript, TStart: slot.tStart, TEnd: slot.tEnd,
		})
	}
	b := make([]byte, eventSize*eventWindow)
	for event := int64(0); event < s.base; {
		got, err := s.scratch.ReadAt(b[:min(int64(len(b)), (s.base-event)*eventSize)], event*eventSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for o := 0; o+eventSize <= got; o += eventSize {
			slot := decodeSlot(b[o:])
			if err := give(event, &slot); err != nil {
				return err
			}
			event++
		}
	}
	for i := range s.window {
		if err := give(s.base+int64(i), &s.window[i]); err != nil {
			return err
		}
	}
	if n != s.n {
		return fmt.Errorf("%d events have %d numbers", s.n, n)
	}
	return nil
}

func decodeSlot(b []byte) eventSlot {
	e := eventSlot{used: binary.LittleEndian.Uint16(b[14:]) != 0}
	for i := range e.names {
		e.names[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	e.tScript, e.tStart = int64(binary.LittleEndian.Uint64(b[16:])), int64(binary.LittleEndian.Uint64(b[24:]))
	e.tEnd = int64(binary.LittleEndian.Uint64(b[32:]))
	return e
}

// abort closes and removes the scratch file.
func (s *eventSorter) abort() error {
	if s.scratch == nil {
		return nil
	}
	err := errors.Join(s.scratch.Close(), os.Remove(s.scratch.Name()))
	s.scratch = nil
	return err
}
