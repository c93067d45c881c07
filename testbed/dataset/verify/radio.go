package verify

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// checkAir checks the captures of a home's radios: their frames, and that times do not go back.
func (c *homeCheck) checkAir() error {
	for i, r := range dataset.Radios() {
		name := path.Join(dataset.HomeDir(c.home.Home), r.File)
		if _, ok := c.d.Manifest.Files[name]; !ok {
			continue
		}
		last := int64(0)
		n, err := readAir(filepath.Join(c.d.HomePath(c.home.Home), r.File), r.Link, func(n int64, f pcapng.Frame) {
			if f.TsNs < last {
				c.problem("frame %d of %s is before frame %d in time", n, name, n-1)
			}
			last = f.TsNs
		})
		if err != nil {
			return err
		}
		*c.counts.AirCount(i) = n
	}
	return nil
}

// readAir reads a capture of a link type to its end.
func readAir(file string, link uint16, see func(n int64, f pcapng.Frame)) (int64, error) {
	r, err := pcapng.OpenLink(file, link)
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
	for i, r := range dataset.Radios() {
		st, err := os.Stat(h.path(r.File))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return err
		case st.Size() < 4:
			if err := os.WriteFile(h.path(r.File), pcapng.AppendHeader(nil, r.Link, r.Name, "", pcapng.DefaultSnaplen), 0o644); err != nil {
				return err
			}
		}
		if *h.counts.AirCount(i), err = pcapng.Truncate(h.path(r.File), r.Link, -1); err != nil {
			return err
		}
	}
	return nil
}
