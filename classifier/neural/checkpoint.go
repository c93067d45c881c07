package neural

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"glasshouse/classifier/model"
	"glasshouse/classifier/nn"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// checkpoint is a training's state between two epochs.
type checkpoint struct {
	Of      string  // digest of what is trained, on what and how
	Epoch   int     // done
	Since   int     // epochs since the best one
	Loss    float64 // the best one's
	Step    int
	best    []float32
	resumed bool
}

// A checkpoint file: magic, length and JSON of the checkpoint, then as many floats each of parameters, Adam's two moments and
// the best parameters, and the sha256 of all before it.
const checkpointMagic = "GLASSHOUSE CHECKPOINT 1\n"

// digest says what is trained, on what and how; what changes nothing (workers, patience) is not in it.
func (l *lesson) digest() string {
	o := l.o
	b, err := json.Marshal(struct {
		Spec    nn.Spec
		Seed    uint64
		Meta    model.Meta
		Steps   int
		Rate    float64
		Epochs  int
		Weights string
		Params  int
		Inputs  Encoder
	}{l.m.net.Spec, l.o.Seed, l.c.Meta, l.batch.T, o.Rate, o.Epochs, o.Weights, l.m.net.Spec.NumParams(), l.m.enc})
	if err != nil { // numbers and text: it cannot fail
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// save keeps the state, if that is wanted.
func (l *lesson) save() error {
	path := l.o.Checkpoint
	if path == "" {
		return nil
	}
	s := l.tr.State()
	l.at.Of, l.at.Step = l.digest(), s.Step
	at := l.at
	if math.IsInf(at.Loss, 0) { // JSON has no infinity
		at.Loss = math.MaxFloat64
	}
	head, err := json.Marshal(at)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), uint64(len(head)))
	b = append(b, head...)
	for _, x := range [][]float32{s.Params, s.M, s.V, l.at.best} {
		b = tree.AppendFloats(b, x)
	}
	sum := sha256.Sum256(b)
	err = dataset.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(b, sum[:]...))
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping a checkpoint: %w", err)
	}
	return nil
}

// ErrCheckpoint means that a checkpoint is damaged or another training's.
var ErrCheckpoint = errors.New("not a checkpoint of this training")

// resume goes on from the checkpoint, if there is one.
func (l *lesson) resume() error {
	path := l.o.Checkpoint
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.restore(b); err != nil {
		return fmt.Errorf("%s: %w; remove it to begin anew", path, err)
	}
	l.at.resumed = true
	return nil
}

func (l *lesson) restore(b []byte) error {
	n := len(b) - sha256.Size
	if n < len(checkpointMagic)+8 || !bytes.HasPrefix(b, []byte(checkpointMagic)) {
		return ErrCheckpoint
	}
	if sum := sha256.Sum256(b[:n]); !bytes.Equal(sum[:], b[n:]) {
		return fmt.Errorf("%w: damaged, its checksum differs", ErrCheckpoint)
	}
	b = b[len(checkpointMagic):n]
	size := binary.LittleEndian.Uint64(b)
	b = b[8:]
	if size > uint64(len(b)) {
		return ErrCheckpoint
	}
	var at checkpoint
	if err := json.Unmarshal(b[:size], &at); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	b = b[size:]
	if at.Of != l.digest() {
		return fmt.Errorf("%w: other data, options or seed", ErrCheckpoint)
	}
	params := l.m.net.Spec.NumParams()
	if len(b) != 16*params || at.Epoch < 1 || at.Since < 0 || at.Step < 0 {
		return ErrCheckpoint
	}
	var x [4][]float32
	for i := range x {
		x[i] = ReadFloats(b[i*4*params : (i+1)*4*params])
	}
	at.best = slices.Clone(x[3])
	l.at = at
	return l.tr.Restore(nn.State{Step: at.Step, Params: x[0], M: x[1], V: x[2]})
}
