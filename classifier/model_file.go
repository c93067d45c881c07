package classifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// A model file: magic, length and JSON of the Meta, length and body, sha256 of all before it. Integers are little-endian.
// Version 2 has what version 1 has, and what must not be overlooked: how probabilities are calibrated.
const (
	modelMagic = "GLASSHOUSE MODEL 2\n"
	firstMagic = "GLASSHOUSE MODEL 1\n"
	anyMagic   = "GLASSHOUSE MODEL "
	maxMeta    = 64 << 20
	maxBody    = 4 << 30
)

// writeModel writes a model file.
func writeModel(w io.Writer, m *Meta, body []byte) error {
	meta, err := json.Marshal(m)
	if err != nil {
		return err
	}
	b := []byte(modelMagic)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(meta)))
	b = append(b, meta...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
	b = append(b, body...)
	sum := sha256.Sum256(b)
	_, err = w.Write(append(b, sum[:]...))
	return err
}

// ErrNotModel means that a file is no model of ours, or is damaged.
var ErrNotModel = errors.New("not a Glasshouse model")

// badModel says what is wrong with a model file.
func badModel(err error) error { return fmt.Errorf("%w: %w", ErrNotModel, err) }

// LoadFile reads a model from a file.
func LoadFile(path string) (Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Load(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Load reads a model. Whatever the bytes are, it returns a model that works or an error.
func Load(b []byte) (Model, error) {
	rest, ok := bytes.CutPrefix(b, []byte(modelMagic))
	if !ok {
		rest, ok = bytes.CutPrefix(b, []byte(firstMagic))
	}
	switch {
	case ok:
	case bytes.HasPrefix(b, []byte(anyMagic)):
		return nil, fmt.Errorf("%w that this version reads: versions 1 and 2 are read", ErrNotModel)
	default:
		return nil, fmt.Errorf("%w: it does not begin as one", ErrNotModel)
	}
	if len(b) < len(modelMagic)+sha256.Size+16 {
		return nil, fmt.Errorf("%w: cut short", ErrNotModel)
	}
	if sum := sha256.Sum256(b[:len(b)-sha256.Size]); !bytes.Equal(sum[:], b[len(b)-sha256.Size:]) {
		return nil, fmt.Errorf("%w: damaged, its checksum differs", ErrNotModel)
	}
	return parseModel(rest[:len(rest)-sha256.Size])
}

func parseModel(b []byte) (Model, error) {
	part := func(limit uint64) ([]byte, error) {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: cut short", ErrNotModel)
		}
		n := binary.LittleEndian.Uint64(b)
		if n > limit || n > uint64(len(b)-8) {
			return nil, fmt.Errorf("%w: a part of %d bytes", ErrNotModel, n)
		}
		p := b[8 : 8+n]
		b = b[8+n:]
		return p, nil
	}
	meta, err := part(maxMeta)
	if err != nil {
		return nil, err
	}
	var m Meta
	if err := json.Unmarshal(meta, &m); err != nil {
		return nil, fmt.Errorf("%w: its description: %w", ErrNotModel, err)
	}
	if err := m.check(); err != nil {
		return nil, badModel(err)
	}
	body, err := part(maxBody)
	if err != nil {
		return nil, err
	}
	switch m.Kind {
	case KindForest, KindBoost:
		return loadTrees(m, body)
	}
	if slices.Contains(neuralKinds(), m.Kind) {
		return loadNeural(m, body)
	}
	return nil, fmt.Errorf("%w that this version knows: kind %q", ErrNotModel, m.Kind)
}

// check tells what is wrong with a description that came from a file.
func (m *Meta) check() error {
	if len(m.Features) == 0 || len(m.Features) > 1000 || len(m.Classes) == 0 || len(m.Classes) > maxClasses {
		return fmt.Errorf("%d features, %d classes", len(m.Features), len(m.Classes))
	}
	if c := m.Calibration; c != nil && (c.Method != calibrateTemperature || !(c.Temperature >= coldest && c.Temperature <= hottest)) {
		return fmt.Errorf("calibration by %q, %v", c.Method, c.Temperature)
	}
	if m.Activities != nil {
		if err := m.Activities.load(len(m.Classes)); err != nil {
			return fmt.Errorf("what tells activities: %w", err)
		}
	}
	if m.Unknown != nil {
		if err := m.Unknown.load(len(m.Classes)); err != nil {
			return fmt.Errorf("what tells unknown devices: %w", err)
		}
	}
	for k, c := range m.Lengths {
		if c < 0 || c >= len(m.Classes) {
			return fmt.Errorf("the length look-up of %q", k)
		}
	}
	return nil
}
