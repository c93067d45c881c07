package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"glasshouse/testbed/dataset"
)

// What is in a directory of results.
const (
	dirParts   = "parts" // NAME.json, a Section
	dirWork    = "work"  // of the part that is run, homes and models; removed with the part's end
	fileClaim  = "results.json"
	FileResult = "RESULTS.md"
)

// Claim is what a directory says of itself.
type Claim struct {
	Kind string `json:"kind"` // claimKind
	Seed uint64 `json:"seed"`
}

const claimKind = "glasshouse reproduce all"

// ErrOther means that a directory is not one of results.
var ErrOther = errors.New("is not empty, and not a directory of `reproduce all`; a new or empty directory is needed")

// ClaimDir takes a directory for results, or finds that it is one. Without a seed (nil) that of the directory is taken, or what draw
// returns. Results of other seeds in it are kept until their parts are run again.
func ClaimDir(dir string, seed *uint64, draw func() uint64) (uint64, error) {
	path := filepath.Join(dir, fileClaim)
	c := Claim{Kind: claimKind}
	was := Claim{}
	err := readJSON(path, &was)
	switch {
	case err == nil && was.Kind == claimKind:
		if seed == nil {
			return was.Seed, nil
		}
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%s %w (%s)", dir, ErrOther, fileClaim)
	default:
		if err := dataset.CheckEmpty(dir); err != nil {
			return 0, fmt.Errorf("%s %w", dir, ErrOther)
		}
	}
	if seed != nil {
		c.Seed = *seed
	} else {
		c.Seed = draw()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	return c.Seed, writeJSON(path, c)
}

// load returns the result of a part if it is there with the section's key; else, if there is one, what is different about it.
func (p *Plan) load(want *Section) (s *Section, other string) {
	got := &Section{}
	if readJSON(p.path(want.Part), got) != nil || got.Content == nil {
		return nil, ""
	}
	if other := want.Key.differs(&got.Key); other != "" {
		return nil, other
	}
	// What a part is called and how it is described is of this program, which is the same.
	got.Title, got.Measures, got.Command = want.Title, want.Measures, want.Command
	return got, ""
}

func (p *Plan) store(s *Section) error { return writeJSON(p.path(s.Part), s) }

func (p *Plan) path(part string) string { return filepath.Join(p.Dir, dirParts, part+".json") }

// differs says what another key has otherwise; "" where it is equal.
func (k *Key) differs(o *Key) string {
	a, b := *k, *o
	switch {
	case a.Build != b.Build:
		return "another build"
	case a.Catalogue != b.Catalogue:
		return "another device catalogue"
	case a.Seed != b.Seed:
		return fmt.Sprintf("seed %d", b.Seed)
	case canonical(a.Options) != canonical(b.Options):
		return "other options"
	}
	return ""
}

// canonical is JSON without its layout: a kept file is indented.
func canonical(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(b)
}

// digest names a key in 12 hexadecimal digits.
func (k *Key) digest() string {
	b, err := json.Marshal(k)
	if err != nil { // raw JSON that was marshalled before
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// writeJSON writes a file that is whole or not there.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return dataset.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}
