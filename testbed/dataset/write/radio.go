package write

import (
	"errors"
	"fmt"
	"path/filepath"

	"glasshouse/testbed/dataset"
)

// createAir makes the captures that are asked for.
func createAir[C any](dir string, o *Options, create func(path string, r dataset.Radio) (C, error)) (made [2]C, err error) {
	for _, name := range o.Air {
		i := dataset.RadioOf(name)
		if i < 0 {
			return made, fmt.Errorf("radio %q: zigbee and ble are known", name)
		}
		r := dataset.Radios()[i]
		c, err := create(filepath.Join(dir, r.File), r)
		if err != nil {
			return made, err
		}
		made[i] = c
	}
	return made, nil
}

// Air appends a frame that a radio heard at (ns of script time). Frames of all radios come in the order of their times, from
// one goroutine at a time. A radio without a capture is nothing.
func (d *DirectHome) Air(radio string, at int64, frame []byte) {
	i := dataset.RadioOf(radio)
	if i < 0 || d.air[i] == nil {
		return
	}
	d.airN[i]++
	d.fail(d.air[i].Append(d.o.EpochNs+at, nil, frame, len(frame)))
}

// Air is DirectHome's.
func (w *Home) Air(radio string, at int64, frame []byte) {
	i := dataset.RadioOf(radio)
	w.airMu.Lock()
	defer w.airMu.Unlock()
	if i < 0 || w.air[i] == nil {
		return
	}
	if _, err := w.air[i].Append(w.o.EpochNs+at, nil, frame); err != nil {
		w.fail(err)
	}
}

// AirCounts adds the frames that radios heard to counts.
func (w *Home) AirCounts(c *dataset.Counts) {
	w.airMu.Lock()
	defer w.airMu.Unlock()
	for i, a := range w.air {
		if a != nil {
			*c.AirCount(i) += a.Packets()
		}
	}
}

// flushAir hands what was given so far to the system.
func (w *Home) flushAir() error {
	w.airMu.Lock()
	var waits []<-chan error
	for _, a := range w.air {
		if a != nil {
			waits = append(waits, a.Barrier())
		}
	}
	w.airMu.Unlock()
	var err error
	for _, wait := range waits {
		err = errors.Join(err, <-wait)
	}
	return err
}

func (w *Home) closeAir() (err error) {
	w.airMu.Lock()
	defer w.airMu.Unlock()
	for _, a := range w.air {
		if a != nil {
			err = errors.Join(err, a.Close())
		}
	}
	return err
}
