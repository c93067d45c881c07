// Package export writes a dataset for other tools: as CSV, as classic pcap, or as pcapng with the truth in a comment on each packet.
package export

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// Result says what an export wrote.
type Result struct {
	Format  string   `json:"format"`
	Files   []string `json:"files"`
	Packets int64    `json:"packets"`
}

// exporter writes copies of a data set in another format. Out is a directory, absent or empty, or, where its name ends as the
// format's files do, one file.
type exporter struct {
	d        *dataset.Dataset
	out      string
	progress func(done, of int64) // packets; may be nil
	r        *Result
	file     bool // out is one file
}

// Pcap writes the WAN captures as classic pcap files with times in ns, for tools that do not read pcapng: one for each
// home, home=NNNNNN/wan.pcap in the directory out, or out itself for a set of one home. Progress, if not nil, is told of
// packets done.
func Pcap(d *dataset.Dataset, out string, progress func(done, of int64)) (*Result, error) {
	e, err := newExporter(d, out, "pcap", ".pcap", progress)
	if err != nil {
		return nil, err
	}
	return e.captures("wan.pcap", func(w *bufio.Writer, home int) error {
		snaplen := d.Manifest.Snaplen
		if snaplen <= 0 {
			snaplen = pcapng.DefaultSnaplen
		}
		if _, err := w.Write(pcapHeader(snaplen)); err != nil {
			return err
		}
		var head [16]byte
		return e.frames(home, func(f pcapng.Frame) error {
			binary.LittleEndian.PutUint32(head[:], uint32(f.TsNs/1e9))
			binary.LittleEndian.PutUint32(head[4:], uint32(f.TsNs%1e9))
			binary.LittleEndian.PutUint32(head[8:], uint32(len(f.Data)))
			binary.LittleEndian.PutUint32(head[12:], uint32(f.Length))
			if _, err := w.Write(head[:]); err != nil {
				return err
			}
			_, err := w.Write(f.Data)
			return err
		})
	})
}

// pcapHeader is a file header of classic pcap: magic of ns times · version 2.4 · zone and accuracy, 0 · snaplen · link type.
func pcapHeader(snaplen int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(snaplen))
	return binary.LittleEndian.AppendUint32(b, pcapng.LinkEthernet)
}

func newExporter(d *dataset.Dataset, out, format, suffix string, progress func(done, of int64)) (*exporter, error) {
	e := &exporter{d: d, out: out, progress: progress, file: strings.HasSuffix(out, suffix), r: &Result{Format: format, Files: []string{}}}
	m := &d.Manifest
	switch {
	case m.State == dataset.StateRunning:
		return nil, dataset.Inputf("%s: is not complete; glasshouse dataset verify says more", d.Dir)
	case format != "csv" && !m.HasWAN():
		return nil, dataset.Inputf("%s: was made without captures; only --csv can be exported", d.Dir)
	case format != "csv" && e.file && len(m.Homes) != 1:
		return nil, dataset.Inputf("%s: has %d homes, and each has a capture: %s must be a directory, not a %s file", d.Dir, len(m.Homes), out, suffix)
	}
	if !e.file {
		if err := dataset.CheckEmpty(out); err != nil {
			return nil, &dataset.InputError{Err: err}
		}
		return e, nil
	}
	if _, err := os.Lstat(out); err == nil {
		return nil, dataset.Inputf("%s: is there already", out)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, &dataset.InputError{Err: err}
	}
	if st, err := os.Stat(filepath.Dir(out)); err != nil || !st.IsDir() {
		return nil, dataset.Inputf("%s: %s is not a directory", out, filepath.Dir(out))
	}
	return e, nil
}

// captures writes a file for each home.
func (e *exporter) captures(name string, write func(w *bufio.Writer, home int) error) (*Result, error) {
	for _, h := range e.d.Manifest.Homes {
		path := e.out
		if !e.file {
			path = filepath.Join(e.out, dataset.HomeDir(h.Home), name)
		}
		if err := e.d.CheckFiles(h.Home, dataset.FileWAN, dataset.FilePackets); err != nil {
			return nil, err
		}
		if err := e.write(path, func(w *bufio.Writer) error { return write(w, h.Home) }); err != nil {
			return nil, err
		}
	}
	return e.r, nil
}

// write makes a file, which has its name once it is whole.
func (e *exporter) write(path string, fill func(w *bufio.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := dataset.WriteFile(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<18)
		return errors.Join(fill(b), b.Flush())
	})
	if err != nil {
		return err
	}
	e.r.Files = append(e.r.Files, path)
	return nil
}

// frames gives a home's WAN frames in order.
func (e *exporter) frames(home int, yield func(pcapng.Frame) error) error {
	r, err := pcapng.Open(filepath.Join(e.d.HomePath(home), dataset.FileWAN))
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(f); err != nil {
			return err
		}
		e.count()
	}
}

// progressEvery is how many packets pass between two calls of progress.
const progressEvery = 1 << 16

func (e *exporter) count() {
	e.r.Packets++
	if e.progress != nil && e.r.Packets%progressEvery == 0 {
		e.progress(e.r.Packets, e.d.Manifest.Counts.WAN)
	}
}
