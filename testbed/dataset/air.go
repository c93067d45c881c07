package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// The captures of what hubs and their kits say over radios of their own. They hold no truth: which kit sent a frame is for the
// keys in the manifest to tell.
const (
	FileZigbee = "pan-zigbee.pcapng"
	FileBLE    = "pan-ble.pcapng"
)

// Names of the radios, as profiles have them.
const (
	RadioZigbee = "zigbee"
	RadioBLE    = "ble"
)

// radio is one of the air's.
type radio struct {
	name, file string
	link       uint16 // of the capture
}

// Link types (tcpdump.org/linktypes.html).
const (
	linkIEEE802154 = 195 // with its FCS
	linkBLE        = 256 // link layer, with a pseudo-header
)

// radios is the order of everything that there is of each.
func radios() [2]radio {
	return [2]radio{{RadioZigbee, FileZigbee, linkIEEE802154}, {RadioBLE, FileBLE, linkBLE}}
}

// radioOf returns the index of a radio, or -1.
func radioOf(name string) int {
	for i, r := range radios() {
		if r.name == name {
			return i
		}
	}
	return -1
}

// airCount returns where the frames of a radio are counted.
func (c *Counts) airCount(i int) *int64 {
	if i == 0 {
		return &c.Zigbee
	}
	return &c.BLE
}

// createAir makes the captures that are asked for.
func createAir[C any](dir string, o *HomeOptions, create func(path string, r radio) (C, error)) (made [2]C, err error) {
	for _, name := range o.Air {
		i := radioOf(name)
		if i < 0 {
			return made, fmt.Errorf("radio %q: zigbee and ble are known", name)
		}
		r := radios()[i]
		c, err := create(filepath.Join(dir, r.file), r)
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
	i := radioOf(radio)
	if i < 0 || d.air[i] == nil {
		return
	}
	d.airN[i]++
	d.fail(d.air[i].write(d.o.EpochNs+at, nil, frame, len(frame)))
}

// Air is DirectHome's.
func (w *HomeWriter) Air(radio string, at int64, frame []byte) {
	i := radioOf(radio)
	w.airMu.Lock()
	defer w.airMu.Unlock()
	if i < 0 || w.air[i] == nil {
		return
	}
	if _, err := w.air[i].write(w.o.EpochNs+at, nil, frame); err != nil {
		w.fail(err)
	}
}

// AirCounts adds the frames that radios heard to counts.
func (w *HomeWriter) AirCounts(c *Counts) {
	w.airMu.Lock()
	defer w.airMu.Unlock()
	for i, a := range w.air {
		if a != nil {
			*c.airCount(i) += a.n
		}
	}
}

// flushAir hands what was given so far to the system.
func (w *HomeWriter) flushAir() error {
	w.airMu.Lock()
	var waits []<-chan error
	for _, a := range w.air {
		if a != nil {
			waits = append(waits, a.s.barrier())
		}
	}
	w.airMu.Unlock()
	var err error
	for _, wait := range waits {
		err = errors.Join(err, <-wait)
	}
	return err
}

func (w *HomeWriter) closeAir() (err error) {
	w.airMu.Lock()
	defer w.airMu.Unlock()
	for _, a := range w.air {
		if a != nil {
			err = errors.Join(err, a.close())
		}
	}
	return err
}

// checkAir checks the captures of a home's radios: their frames, and that times do not go back.
func (c *homeCheck) checkAir() error {
	for i, r := range radios() {
		name := path.Join(HomeDir(c.home.Home), r.file)
		if _, ok := c.d.Manifest.Files[name]; !ok {
			continue
		}
		last := int64(0)
		n, err := readAir(filepath.Join(c.d.HomePath(c.home.Home), r.file), r.link, func(n int64, f Frame) {
			if f.TsNs < last {
				c.problem("frame %d of %s is before frame %d in time", n, name, n-1)
			}
			last = f.TsNs
		})
		if err != nil {
			return err
		}
		*c.counts.airCount(i) = n
	}
	return nil
}

// readAir reads a capture of a link type to its end.
func readAir(file string, link uint16, see func(n int64, f Frame)) (int64, error) {
	r, err := openCapture(file, link)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for n := int64(1); ; n++ {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return n - 1, nil
		}
		if err != nil {
			return n - 1, err
		}
		see(n, f)
	}
}

// mendAir cuts the captures of radios that a killed run left after their last whole block, and counts their frames.
func (h *homeRepair) mendAir() error {
	for i, r := range radios() {
		st, err := os.Stat(h.path(r.file))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return err
		case st.Size() < 4:
			if err := os.WriteFile(h.path(r.file), appendCaptureHeader(nil, r.link, r.name, "", defaultSnaplen), 0o644); err != nil {
				return err
			}
		}
		if *h.counts.airCount(i), err = truncateCapture(h.path(r.file), r.link, -1); err != nil {
			return err
		}
	}
	return nil
}
