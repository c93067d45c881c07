package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A data set of many homes grows home by home, and goes on where it stopped:
//
//	OpenOrCreate   begins it, or finds the same run, unfinished or complete
//	PartPath       is where a home's files are made, out of the way of those that are whole
//	HomeDone       renames that directory, and notes what the home holds in the journal of homes
//	Done           tells whether a home is whole already
//	FinishHomes    writes the manifest from the journal, and removes the journal
//
// Whatever a killed run left of a home that the journal does not name is removed when the run goes on. HomeDone and Done may
// be called concurrently.

// Found says what OpenOrCreate met.
type Found int

// What OpenOrCreate can meet.
const (
	FoundNothing    Found = iota // a new data set was begun
	FoundUnfinished              // the same run, not finished: it goes on
	FoundComplete                // the same run, complete: there is nothing to do
)

// journalHomes has a line for each home that is whole, while the manifest is still "running".
const journalHomes = "homes.journal"

// homeRecord is a line of the journal. Files have their paths in the data set.
type homeRecord struct {
	Info     HomeInfo          `json:"info"`
	Counts   Counts            `json:"counts"`
	Fidelity Fidelity          `json:"fidelity"`
	Files    map[string]string `json:"files"`
}

// OpenOrCreate begins a data set at dir, or opens the one that is there if it is of the same run: the same scenario, seed,
// homes, duration and options. Anything else that is there is left alone, and is an error that wraps ErrOccupied and says
// what differs. The manifest needs no homes yet; RunHomes says how many the run has.
func OpenOrCreate(dir string, m Manifest, scenario []byte) (*Set, Found, error) {
	if m.Captures == "" {
		m.Captures = CapturesAll
	}
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return nil, FoundNothing, fmt.Errorf("%s: %w: a file; a new or empty directory is needed", dir, ErrOccupied)
	}
	if _, err := os.Stat(filepath.Join(dir, FileManifest)); errors.Is(err, fs.ErrNotExist) {
		if begun := filepath.Join(dir, FileManifest+partSuffix); alone(dir, begun) { // killed within its first write
			if err := os.Remove(begun); err != nil {
				return nil, FoundNothing, err
			}
		}
		s, err := Create(dir, m, scenario)
		if err != nil {
			return nil, FoundNothing, err
		}
		s.homes = make(map[int]homeRecord)
		return s, FoundNothing, nil
	}
	d, err := Open(dir)
	if err != nil {
		return nil, FoundNothing, err
	}
	differ := Differences(&d.Manifest, &m)
	if d.Manifest.Shard != m.Shard {
		differ = append(differ, fmt.Sprintf("shard is %s, not %s", shardName(d.Manifest.Shard), shardName(m.Shard)))
	}
	if d.Manifest.State == StateCut {
		differ = append(differ, "it was cut and put in order")
	}
	if len(differ) > 0 {
		return nil, FoundNothing, fmt.Errorf("%s: %w: a data set of another run (%s); a new or empty directory is needed", dir, ErrOccupied, strings.Join(differ, "; "))
	}
	s := &Set{dir: dir, Manifest: d.Manifest, homes: make(map[int]homeRecord)}
	if d.Manifest.State == StateComplete {
		_ = s.removeJournal() // killed between the manifest and it; of no use any more, and the disk may be read-only
		return s, FoundComplete, nil
	}
	if err := s.resume(scenario); err != nil {
		return nil, FoundNothing, err
	}
	return s, FoundUnfinished, nil
}

func shardName(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// alone tells whether a file is all that a directory holds.
func alone(dir, file string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 1 && filepath.Join(dir, entries[0].Name()) == file
}

// Differences says in what two data sets are not of one run; which homes they hold does not count.
func Differences(a, b *Manifest) []string {
	var out []string
	differ := func(what string, x, y any) {
		if x != y {
			out = append(out, fmt.Sprintf("%s is %v, not %v", what, x, y))
		}
	}
	differ("scenario", a.Scenario, b.Scenario)
	if a.Scenario == b.Scenario {
		differ("the scenario's digest", short(a.ScenarioDigest), short(b.ScenarioDigest))
	}
	differ("path", a.Path, b.Path)
	differ("seed", a.Seed, b.Seed)
	differ("world", a.World, b.World)
	differ("homes", a.RunHomes, b.RunHomes)
	differ("duration_ns", a.DurationNs, b.DurationNs)
	differ("start_ns", a.StartNs, b.StartNs)
	differ("warm_up_ns", a.WarmUpNs, b.WarmUpNs)
	differ("time_scale", a.TimeScale, b.TimeScale)
	differ("captures", a.Captures, b.Captures)
	differ("snaplen", a.Snaplen, b.Snaplen)
	if !maps.EqualFunc(a.Vocabulary, b.Vocabulary, slices.Equal[[]string]) {
		out = append(out, "the vocabulary differs")
	}
	return out
}

// short is enough of a digest for an eye.
func short(digest string) string { return digest[:min(12, len(digest))] }

// resume reads the journal and removes what it does not name.
func (s *Set) resume(scenario []byte) error {
	if err := s.readHomes(); err != nil {
		return err
	}
	if err := s.rewriteHomes(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		home, ok := homeOf(e.Name())
		if ok && !s.Done(home) || strings.HasSuffix(e.Name(), partSuffix) {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, FileScenario)); err != nil && scenario != nil { // killed between the manifest and it
		return writeBytes(filepath.Join(s.dir, FileScenario), scenario)
	}
	return nil
}

// homeOf returns the home of a directory's name.
func homeOf(name string) (home int, ok bool) {
	if _, err := fmt.Sscanf(name, "home=%d", &home); err != nil || HomeDir(home) != name {
		return 0, false
	}
	return home, true
}

// readHomes reads the journal; a line that is cut short ends it.
func (s *Set) readHomes() error {
	f, err := os.Open(filepath.Join(s.dir, journalHomes))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var h homeRecord
		if err != nil || json.Unmarshal(line, &h) != nil {
			return nil
		}
		if _, err := os.Stat(s.HomePath(h.Info.Home)); err == nil {
			s.homes[h.Info.Home] = h
		}
	}
}

// rewriteHomes leaves the journal with whole lines alone.
func (s *Set) rewriteHomes() error {
	var b bytes.Buffer
	for _, home := range slices.Sorted(maps.Keys(s.homes)) {
		line, err := json.Marshal(s.homes[home])
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	return writeBytes(filepath.Join(s.dir, journalHomes), b.Bytes())
}

// PartPath returns the directory in which a home is made: HomeDone renames it.
func (s *Set) PartPath(home int) string { return s.HomePath(home) + partSuffix }

// Done tells whether a home is whole.
func (s *Set) Done(home int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.homes[home]
	return ok
}

// HomeDone adds a home whose files in PartPath are closed: c and f are its own counts and fidelity, and files the sha256 of
// its files by name (write.DirectHome.Hashes), or nil if they are still to be hashed.
func (s *Set) HomeDone(info HomeInfo, c Counts, f Fidelity, files map[string]string) error {
	part := s.PartPath(info.Home)
	if files == nil {
		var err error
		if files, err = HashAll(part, func(string) bool { return true }); err != nil {
			return err
		}
	}
	h := homeRecord{Info: info, Counts: c, Fidelity: f, Files: make(map[string]string, len(files))}
	for name, sum := range files {
		h.Files[path.Join(HomeDir(info.Home), name)] = sum
	}
	h.Info.Packets, h.Info.Counts = c.WAN, &h.Counts
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Rename(part, s.HomePath(info.Home)); err != nil {
		return err
	}
	j, err := os.OpenFile(filepath.Join(s.dir, journalHomes), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = j.Write(append(line, '\n'))
	if err := errors.Join(err, j.Close()); err != nil {
		return err
	}
	s.homes[info.Home] = h
	return nil
}

// FinishHomes closes the data set with the homes that are done, in order: their counts and fidelity are added up. Reasons say
// why it is not valid.
func (s *Set) FinishHomes(valid bool, reasons []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finishHomes(StateComplete, valid, reasons)
}

// CutHomes is FinishHomes for a run that ended before its time.
func (s *Set) CutHomes(valid bool, reasons []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finishHomes(StateCut, valid, reasons)
}

// finishHomes is FinishHomes with a state. s.mu is held.
func (s *Set) finishHomes(state string, valid bool, reasons []string) error {
	s.Manifest.Valid, s.Manifest.Reasons = valid, reasons
	if err := s.Seal(state, s.Manifest.collect(slices.Collect(maps.Values(s.homes)))); err != nil {
		return err
	}
	return s.removeJournal()
}

func (s *Set) removeJournal() error {
	err := os.Remove(filepath.Join(s.dir, journalHomes))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// collect fills the manifest with homes, in order, and returns their files.
func (m *Manifest) collect(homes []homeRecord) map[string]string {
	slices.SortFunc(homes, func(a, b homeRecord) int { return cmp.Compare(a.Info.Home, b.Info.Home) })
	files := make(map[string]string)
	m.Homes, m.Counts, m.Fidelity = []HomeInfo{}, Counts{Drops: map[string]int64{}}, Fidelity{Drops: map[string]int64{}}
	for i := range homes {
		h := &homes[i]
		m.Homes = append(m.Homes, h.Info)
		m.Counts.Add(&h.Counts)
		m.Fidelity.Add(&h.Fidelity)
		maps.Copy(files, h.Files)
	}
	return files
}

// Add makes f that of two homes: the worse lateness, and what was lost in both.
func (f *Fidelity) Add(o *Fidelity) {
	f.TimerP50Ns, f.TimerP99Ns = max(f.TimerP50Ns, o.TimerP50Ns), max(f.TimerP99Ns, o.TimerP99Ns)
	f.TimerMaxNs = max(f.TimerMaxNs, o.TimerMaxNs)
	f.Unattributed, f.Late = f.Unattributed+o.Unattributed, f.Late+o.Late
	f.Drops = addUp(f.Drops, o.Drops)
}

// KeepWholeHomes closes a data set whose run of many homes was killed with the homes that are whole, and returns how many there are.
func (d *Dataset) KeepWholeHomes() (int, error) {
	s := &Set{dir: d.Dir, Manifest: d.Manifest, homes: make(map[int]homeRecord)}
	if err := s.resume(nil); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reasons := []string{"the run was killed"}
	if of := d.Manifest.RunHomes; of > len(s.homes) {
		reasons[0] += fmt.Sprintf(" with %d of %d homes made", len(s.homes), of)
	}
	if err := s.finishHomes(StateCut, false, reasons); err != nil {
		return 0, err
	}
	d.Manifest = s.Manifest
	return len(s.homes), nil
}

// Reopen returns a data set to be finished anew.
func (d *Dataset) Reopen() *Set { return &Set{dir: d.Dir, Manifest: d.Manifest} }

// RemoveParts removes files that were being written when the run was killed.
func (s *Set) RemoveParts() error {
	parts, err := filepath.Glob(filepath.Join(s.dir, "*"+partSuffix))
	for _, p := range parts {
		err = errors.Join(err, os.Remove(p))
	}
	return err
}

// HasHomesJournal tells whether a run of many homes was killed, or goes on, here.
func (d *Dataset) HasHomesJournal() bool {
	_, err := os.Stat(filepath.Join(d.Dir, journalHomes))
	return err == nil
}
