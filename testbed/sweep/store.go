package sweep

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"glasshouse/testbed/dataset"
)

// ErrOther means that a directory holds another sweep.
var ErrOther = errors.New("holds another sweep")

// Files of a sweep's directory, beside point-NNNN.json and, of programs, point-NNNN-KEY.json.
const (
	fileOptions = "options.json"
	filePackets = "packets.json"
	FileResult  = "sweep.json"
	FilePoints  = "points.csv"
	FilePlot    = "sweep.svg"
)

// store keeps what is finished, so that a sweep that was stopped goes on. Without a directory it keeps nothing.
type store struct {
	dir     string
	packets int // of each class to learn from, as it was found out; 0 = not yet
}

// openStore takes a directory for a sweep, or finds the same one in it.
func openStore(dir, identity string) (*store, error) {
	s := &store{dir: dir}
	if dir == "" {
		return s, nil
	}
	path := filepath.Join(dir, fileOptions)
	got, err := os.ReadFile(path)
	switch {
	case err == nil && string(got) == identity:
		if err := readJSON(filepath.Join(dir, filePackets), &s.packets); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		return s, nil
	case err == nil:
		return nil, fmt.Errorf("%s: %w (see its %s); a new or empty directory is needed", dir, ErrOther, fileOptions)
	}
	if err := dataset.CheckEmpty(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return s, dataset.WriteFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, identity)
		return err
	})
}

func (s *store) file(point int) string {
	return filepath.Join(s.dir, fmt.Sprintf("point-%04d.json", point))
}

// read reads a finished point; false if it is not there.
func (s *store) read(point int, p *Point) bool {
	return s.dir != "" && readJSON(s.file(point), p) == nil
}

func (s *store) write(point int, p *Point) error {
	if s.dir == "" {
		return nil
	}
	return dataset.WriteFile(s.file(point), func(w io.Writer) error { return encode(w, p) })
}

// answerFile is where a program's answer about a point is, by what tells programs apart.
func (s *store) answerFile(point int, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.dir, fmt.Sprintf("point-%04d-%x.json", point, sum[:8]))
}

func (s *store) readAnswer(point int, key string, a *answer) bool {
	return s.dir != "" && readJSON(s.answerFile(point, key), a) == nil
}

func (s *store) writeAnswer(point int, key string, a *answer) error {
	if s.dir == "" {
		return nil
	}
	return dataset.WriteFile(s.answerFile(point, key), func(w io.Writer) error { return encode(w, a) })
}

func (s *store) keepPackets(n int) error {
	s.packets = n
	if s.dir == "" {
		return nil
	}
	return dataset.WriteFile(filepath.Join(s.dir, filePackets), func(w io.Writer) error { return encode(w, n) })
}

// finish writes the result.
func (s *store) finish(r *Result) error {
	if s.dir == "" {
		return nil
	}
	return errors.Join(
		dataset.WriteFile(filepath.Join(s.dir, FileResult), func(w io.Writer) error { return encode(w, r) }),
		dataset.WriteFile(filepath.Join(s.dir, FilePoints), r.WriteCSV),
		dataset.WriteFile(filepath.Join(s.dir, FilePlot), r.Plot),
	)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
