package classifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

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
