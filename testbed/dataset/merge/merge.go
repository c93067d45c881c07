// Package merge joins the shards of one run into the dataset that one run would have made.
package merge

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/sink"
)

// Result says what Merge made.
type Result struct {
	Dataset string `json:"dataset"`
	Homes   int    `json:"homes"`
	Of      int    `json:"of"` // homes of the whole run
	Packets int64  `json:"packets"`
	Linked  int    `json:"linked"` // files that share their bytes with the shards'
	Copied  int    `json:"copied"`
	Digest  string `json:"digest"`
}

// Run joins shards of one run into a data set at out, which must be absent or empty. Its digest is that of the run made in
// one piece, once all homes are there. Files are linked where the file system can, and else copied; their hashes are checked either way.
// Progress, if not nil, is told of homes done.
func Run(dirs []string, out string, progress func(done, of int)) (*Result, error) {
	sets, err := openShards(dirs)
	if err != nil {
		return nil, &dataset.InputError{Err: err}
	}
	if err := dataset.CheckEmpty(out); err != nil {
		return nil, &dataset.InputError{Err: err}
	}
	scenario, err := os.ReadFile(filepath.Join(sets[0].Dir, dataset.FileScenario))
	if err != nil {
		return nil, &dataset.InputError{Err: err}
	}
	m := merged(sets)
	s, err := dataset.Create(out, m, scenario)
	if err != nil {
		return nil, err
	}
	g := merger{out: out, of: len(m.Homes), progress: progress, r: &Result{Dataset: out, Homes: len(m.Homes), Of: max(m.RunHomes, len(m.Homes)), Packets: m.Counts.WAN}}
	if err = g.homes(sets); err == nil {
		err = s.Seal(dataset.StateComplete, m.Files)
	}
	if err != nil { // what was made is not a data set
		return nil, errors.Join(fmt.Errorf("%s: %w", out, err), clearDir(out))
	}
	g.r.Digest = s.Manifest.Digest()
	return g.r, nil
}

// openShards opens data sets and checks that they are shards of one run.
func openShards(dirs []string) ([]*dataset.Dataset, error) {
	if len(dirs) == 0 {
		return nil, errors.New("no data set to merge")
	}
	var sets []*dataset.Dataset
	whose := make(map[int]string)
	for _, dir := range dirs {
		d, err := dataset.Open(dir)
		if err != nil {
			return nil, err
		}
		if d.Manifest.State != dataset.StateComplete {
			return nil, fmt.Errorf("%s: is %s; only a complete data set can be merged", dir, d.Manifest.State)
		}
		if len(sets) > 0 {
			if differ := dataset.Differences(&d.Manifest, &sets[0].Manifest); len(differ) > 0 {
				return nil, fmt.Errorf("%s is no shard of the run of %s: %s", dir, dirs[0], strings.Join(differ, "; "))
			}
		}
		for _, h := range d.Manifest.Homes {
			if other, ok := whose[h.Home]; ok {
				return nil, fmt.Errorf("home %d is in %s and in %s; shards have homes of their own", h.Home, other, dir)
			}
			whose[h.Home] = dir
		}
		sets = append(sets, d)
	}
	return sets, nil
}

// merged is the manifest of all shards together.
func merged(sets []*dataset.Dataset) dataset.Manifest {
	m := sets[0].Manifest
	var homes []dataset.HomeInfo
	counts, fidelity := dataset.Counts{Drops: map[string]int64{}}, dataset.Fidelity{Drops: map[string]int64{}}
	files := make(map[string]string)
	m.Valid, m.Reasons = true, []string{}
	for _, d := range sets {
		homes = append(homes, d.Manifest.Homes...)
		counts.Add(&d.Manifest.Counts)
		fidelity.Add(&d.Manifest.Fidelity)
		for path, sum := range d.Manifest.Files {
			if dataset.InHome(path) {
				files[path] = sum
			}
		}
		m.Valid = m.Valid && d.Manifest.Valid
		for _, why := range d.Manifest.Reasons {
			if !slices.Contains(m.Reasons, why) {
				m.Reasons = append(m.Reasons, why)
			}
		}
	}
	slices.SortFunc(homes, func(a, b dataset.HomeInfo) int { return cmp.Compare(a.Home, b.Home) })
	m.Homes, m.Counts, m.Fidelity, m.Files, m.Shard = homes, counts, fidelity, files, ""
	if len(m.Homes) < m.RunHomes {
		m.Shard = fmt.Sprintf("%d of %d homes", len(m.Homes), m.RunHomes)
	}
	return m
}

// merger brings the homes' files over.
type merger struct {
	out      string
	of, done int
	progress func(done, of int)
	r        *Result
}

func (g *merger) homes(sets []*dataset.Dataset) error {
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			if err := os.Mkdir(filepath.Join(g.out, dataset.HomeDir(h.Home)), 0o755); err != nil {
				return err
			}
			prefix := dataset.HomeDir(h.Home) + "/"
			for _, path := range slices.Sorted(maps.Keys(d.Manifest.Files)) {
				if !strings.HasPrefix(path, prefix) {
					continue
				}
				if err := g.file(filepath.Join(d.Dir, path), filepath.Join(g.out, path), d.Manifest.Files[path]); err != nil {
					return err
				}
			}
			g.done++
			if g.progress != nil {
				g.progress(g.done, g.of)
			}
		}
	}
	return nil
}

func (g *merger) file(from, to, sum string) error {
	if os.Link(from, to) == nil {
		got, err := dataset.HashFile(from)
		if err != nil {
			return err
		}
		g.r.Linked++
		return dataset.SameSum(from, got, sum)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := sink.CreateHashed(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	g.r.Copied++
	return dataset.SameSum(from, out.Sum(), sum)
}

// clearDir empties a directory.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
