package sweep

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/export"
)

// Columns that a program has beside those of dataset.ObservationColumns: whom a packet is with, as far as an observer can tell
// (feature.WANReader), and in the file to learn from the class, which is empty for packets that do not teach.
const (
	columnName  = "remote_name"
	columnClass = "label_class"
)

// recorder writes what an observer sees of a home's packets to a file, as lines of CSV without a header.
type recorder struct {
	s    *sample
	f    *os.File
	w    *bufio.Writer
	line []byte
	n    int64
	err  error
}

// newRecorder begins a home's file in a directory; without a directory it records nothing.
func newRecorder(dir string, s *sample) (*recorder, error) {
	r := &recorder{s: s}
	if dir == "" {
		return r, nil
	}
	s.file = filepath.Join(dir, fmt.Sprintf("home-%06d.csv", s.number))
	f, err := os.Create(s.file)
	r.f, r.w = f, bufio.NewWriterSize(f, 1<<18)
	return r, err
}

// add writes a packet.
func (r *recorder) add(o *dataset.Observation, far int) {
	if r.f == nil || r.err != nil {
		return
	}
	if r.n++; o.Frame != r.n {
		r.err = fmt.Errorf("frame %d comes as row %d", o.Frame, r.n)
		return
	}
	r.line = append(export.AppendObservation(r.line[:0], r.s.number, o), ',')
	name := r.s.names[far]
	if strings.ContainsAny(name, "\r\n") { // in a name that somebody made up: rows are lines
		name = o.RemoteAddr
	}
	r.line = append(export.AppendQuoted(r.line, name), '\n')
	_, r.err = r.w.Write(r.line)
}

func (r *recorder) close() error {
	if r.f == nil {
		return nil
	}
	if r.err == nil && r.n != r.s.packets {
		r.err = fmt.Errorf("%d rows of %d packets", r.n, r.s.packets)
	}
	return errors.Join(r.err, r.w.Flush(), r.f.Close())
}

// joinRecords makes one file of homes, and returns its digest. classOf gives the class of a home's packet, "" for none; without it there
// is no such column. The homes' own files are left, for another program.
func joinRecords(path string, homes []*sample, classOf func(s *sample, frame int64) string) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<18)
	fmt.Fprint(w, strings.Join(export.ObservationColumns(), ","), ",", columnName)
	if classOf != nil {
		fmt.Fprint(w, ",", columnClass)
	}
	fmt.Fprintln(w)
	for _, s := range homes {
		if err = joinRecord(w, s, classOf); err != nil {
			break
		}
	}
	err = errors.Join(err, w.Flush(), f.Close())
	return hex.EncodeToString(h.Sum(nil)), err
}

func joinRecord(w *bufio.Writer, s *sample, classOf func(s *sample, frame int64) string) error {
	f, err := os.Open(s.file)
	if err != nil {
		return err
	}
	defer f.Close()
	if classOf == nil {
		_, err := io.Copy(w, f)
		return err
	}
	in := bufio.NewReaderSize(f, 1<<18)
	for frame := int64(1); ; frame++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, _ = w.Write(bytes.TrimSuffix(line, []byte("\n"))) // Flush tells
		_ = w.WriteByte(',')
		_, _ = w.Write(export.AppendQuoted(nil, classOf(s, frame)))
		_ = w.WriteByte('\n')
	}
}
