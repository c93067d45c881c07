package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"glasshouse/classifier/tree"
)

// A model file: magic, length and JSON of the Meta, length and body, SHA-256 of everything before it. Integers are little-endian.
// Version 2 adds the calibration, which a reader of version 1 would silently ignore.
const (
	ModelMagic = "GLASSHOUSE MODEL 2\n"
	FirstMagic = "GLASSHOUSE MODEL 1\n"
	AnyMagic   = "GLASSHOUSE MODEL "
	MaxMeta    = 64 << 20
	MaxBody    = 4 << 30
)

// Write writes a model file: the description, then the body of its kind.
func Write(w io.Writer, m *Meta, body []byte) error {
	meta, err := json.Marshal(m)
	if err != nil {
		return err
	}
	b := []byte(ModelMagic)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(meta)))
	b = append(b, meta...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
	b = append(b, body...)
	sum := sha256.Sum256(b)
	_, err = w.Write(append(b, sum[:]...))
	return err
}

// Check validates metadata read from a file.
func (m *Meta) Check() error {
	if len(m.Features) == 0 || len(m.Features) > 1000 || len(m.Classes) == 0 || len(m.Classes) > tree.MaxClasses {
		return fmt.Errorf("%d features, %d classes", len(m.Features), len(m.Classes))
	}
	if c := m.Calibration; c != nil && (c.Method != CalibrateTemperature || !(c.Temperature >= Coldest && c.Temperature <= Hottest)) {
		return fmt.Errorf("calibration by %q, %v", c.Method, c.Temperature)
	}
	if m.Activities != nil {
		if err := m.Activities.Load(len(m.Classes)); err != nil {
			return fmt.Errorf("activity classifier: %w", err)
		}
	}
	if m.Unknown != nil {
		if err := m.Unknown.Load(len(m.Classes)); err != nil {
			return fmt.Errorf("detector of unknown devices: %w", err)
		}
	}
	for k, c := range m.Lengths {
		if c < 0 || c >= len(m.Classes) {
			return fmt.Errorf("invalid class in the length table, key %q", k)
		}
	}
	return nil
}
