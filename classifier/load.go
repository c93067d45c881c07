// Package classifier is the adversary on the WAN: it labels each packet with the device that it came from, and its labels are scored
// against the ground truth. This package loads a model of any kind; its subpackages train (train, tree, neural), describe (model, card),
// score (score, evaluate) and export (onnx) models.
//
// A model's only input is dataset.Observation; only training and scoring read labels. Results depend on the seed alone, not on the
// number of workers. Models are read-only after training and may be shared; a Stream is for one goroutine. Not modelled: active
// probing, and several vantage points.
package classifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/tree"
)

// LoadFile reads a model from a file.
func LoadFile(path string) (model.Model, error) {
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

// Load reads a model. For any input it returns a working model or an error.
func Load(b []byte) (model.Model, error) {
	rest, ok := bytes.CutPrefix(b, []byte(model.ModelMagic))
	if !ok {
		rest, ok = bytes.CutPrefix(b, []byte(model.FirstMagic))
	}
	switch {
	case ok:
	case bytes.HasPrefix(b, []byte(model.AnyMagic)):
		return nil, fmt.Errorf("%w that this build supports: it reads versions 1 and 2", tree.ErrNotModel)
	default:
		return nil, fmt.Errorf("%w: the magic number is missing", tree.ErrNotModel)
	}
	if len(b) < len(model.ModelMagic)+sha256.Size+16 {
		return nil, fmt.Errorf("%w: truncated", tree.ErrNotModel)
	}
	if sum := sha256.Sum256(b[:len(b)-sha256.Size]); !bytes.Equal(sum[:], b[len(b)-sha256.Size:]) {
		return nil, fmt.Errorf("%w: checksum mismatch", tree.ErrNotModel)
	}
	return parseModel(rest[:len(rest)-sha256.Size])
}

func parseModel(b []byte) (model.Model, error) {
	part := func(limit uint64) ([]byte, error) {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: truncated", tree.ErrNotModel)
		}
		n := binary.LittleEndian.Uint64(b)
		if n > limit || n > uint64(len(b)-8) {
			return nil, fmt.Errorf("%w: invalid section length %d", tree.ErrNotModel, n)
		}
		p := b[8 : 8+n]
		b = b[8+n:]
		return p, nil
	}
	meta, err := part(model.MaxMeta)
	if err != nil {
		return nil, err
	}
	var m model.Meta
	if err := json.Unmarshal(meta, &m); err != nil {
		return nil, fmt.Errorf("%w: metadata: %w", tree.ErrNotModel, err)
	}
	if err := m.Check(); err != nil {
		return nil, tree.BadModel(err)
	}
	body, err := part(model.MaxBody)
	if err != nil {
		return nil, err
	}
	switch m.Kind {
	case model.KindForest, model.KindBoost:
		return model.LoadTrees(m, body)
	}
	if slices.Contains(model.NeuralKinds(), m.Kind) {
		return neural.Load(m, body)
	}
	return nil, fmt.Errorf("%w that this build supports: kind %q", tree.ErrNotModel, m.Kind)
}
