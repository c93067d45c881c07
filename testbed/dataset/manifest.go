package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// States of a data set.
const (
	StateRunning  = "running"
	StateComplete = "complete"
	StateCut      = "cut" // ended before its time; what is there is whole
)

// Files of a data set beside its homes.
const (
	FileManifest  = "manifest.json"
	FileScenario  = "scenario.yaml"
	FileCard      = "README.md"
	FileCroissant = "croissant.json"
)

// The worlds that a home can be lived in, as Manifest.World names them. In the virtual one equal seeds give equal packets.
const (
	WorldLive    = "live"
	WorldVirtual = "virtual"
)

// Manifest says what a data set is. It is written first with the state "running", and last with "complete" or "cut".
type Manifest struct {
	Format         int                 `json:"format"`
	State          string              `json:"state"`
	Scenario       string              `json:"scenario"`
	ScenarioDigest string              `json:"scenario_digest"`
	Path           string              `json:"path"` // napt or vpn
	Seed           uint64              `json:"seed"`
	World          string              `json:"world"`
	StartNs        int64               `json:"start_ns"` // UTC epoch of script time 0, ns
	DurationNs     int64               `json:"duration_ns"`
	WarmUpNs       int64               `json:"warm_up_ns"`          // not scored, from the start
	TimeScale      float64             `json:"time_scale"`          // how often people act, relative to life; protocol timers are never scaled
	Captures       string              `json:"captures"`            // which pcapng files each home has: all, wan or none
	Snaplen        int                 `json:"snaplen"`             // bytes kept of a captured frame; 0 = all
	RunHomes       int                 `json:"run_homes,omitempty"` // homes of the whole run; a shard holds some of them
	Shard          string              `json:"shard,omitempty"`     // I/N: which of them
	Basis          map[string]int      `json:"basis,omitempty"`     // entries of the devices' profiles by where their numbers come from: measured, paper, assumed
	Versions       map[string]string   `json:"versions"`
	Vocabulary     map[string][]string `json:"vocabulary"` // of each label column
	Counts         Counts              `json:"counts"`
	Homes          []HomeInfo          `json:"homes"`
	Files          map[string]string   `json:"files"` // path: sha256
	Valid          bool                `json:"valid"`
	Reasons        []string            `json:"reasons"` // why it is not valid
	Fidelity       Fidelity            `json:"fidelity"`
}

// Counts balance: lan = (wan - without_lan) + local + the drops before the tap.
type Counts struct {
	LAN        int64            `json:"lan"`
	WAN        int64            `json:"wan"`
	Up         int64            `json:"up"`
	Down       int64            `json:"down"`
	WithoutLAN int64            `json:"without_lan"` // WAN packets that no LAN frame carries: the gateway's, the internet's, lost ones
	Local      int64            `json:"local"`       // LAN frames that stayed on the LAN
	Drops      map[string]int64 `json:"drops"`       // LAN frames that did not reach the tap, by cause
	Events     int64            `json:"events"`
	Zigbee     int64            `json:"zigbee,omitempty"`    // frames in pan-zigbee.pcapng
	BLE        int64            `json:"ble,omitempty"`       // frames in pan-ble.pcapng
	ByDevice   map[string]int64 `json:"by_device,omitempty"` // WAN packets of each label_device; nil where nobody counted
}

// What captures a data set has.
const (
	CapturesAll  = "all"  // lan.pcapng and wan.pcapng, and the radios' of homes with kits
	CapturesWAN  = "wan"  // wan.pcapng
	CapturesNone = "none" // neither
)

// HasWAN tells whether there is a wan.pcapng; rows are in the order of its frames either way.
func (m *Manifest) HasWAN() bool { return m.Captures != CapturesNone }

// HasLAN tells whether there is a lan.pcapng. Without one label_lan_frame still numbers the home's LAN frames.
func (m *Manifest) HasLAN() bool { return m.Captures == CapturesAll || m.Captures == "" }

// Fidelity says how well the run kept its promises.
type Fidelity struct {
	TimerP50Ns   int64            `json:"timer_p50_ns"` // how late timers fired
	TimerP99Ns   int64            `json:"timer_p99_ns"`
	TimerMaxNs   int64            `json:"timer_max_ns"`
	Unattributed int64            `json:"unattributed"`
	Late         int64            `json:"late"`  // truth that came after its row was closed
	Drops        map[string]int64 `json:"drops"` // packets that were lost where no row tells of it, by cause
}

// HomeInfo describes a home.
type HomeInfo struct {
	Home    int            `json:"home"`
	Seed    uint64         `json:"seed"`
	Varied  map[string]any `json:"varied"` // what was drawn for it
	Devices []DeviceInfo   `json:"devices"`
	Packets int64          `json:"packets"`          // on the WAN
	Counts  *Counts        `json:"counts,omitempty"` // the home's own, where there are many
}

// DeviceInfo describes a unit.
type DeviceInfo struct {
	Name     string `json:"name"` // the device
	Unit     string `json:"unit"`
	Class    string `json:"class"`
	Kind     string `json:"kind"`
	Category string `json:"category"`
	MAC      string `json:"mac"`
	Address  string `json:"address"`
}

// ErrOccupied means that a directory holds something else.
var ErrOccupied = errors.New("holds something already")

// CheckEmpty tells whether a data set can be written at dir: it is absent or an empty directory, and can be written.
// Nothing is left behind.
func CheckEmpty(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if to, err := os.Readlink(dir); err == nil {
			return fmt.Errorf("%s: is a symbolic link to %s, which does not exist; a new or empty directory is needed", dir, to)
		}
		parent := filepath.Dir(dir)
		for {
			if st, err := os.Stat(parent); err == nil {
				if !st.IsDir() {
					return fmt.Errorf("%s: %s is not a directory", dir, parent)
				}
				return writable(parent)
			}
			if next := filepath.Dir(parent); next != parent {
				parent = next
				continue
			}
			return fmt.Errorf("%s: no directory above it exists", dir)
		}
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s: is a file; a new or empty directory is needed", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: %w (%s); a new or empty directory is needed", dir, ErrOccupied, entries[0].Name())
	}
	return writable(dir)
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".glasshouse-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Set is a data set that is being written. One home is written live and closed by Finish; many are made side by side, and
// are added by HomeDone and closed by FinishHomes.
type Set struct {
	dir      string
	Manifest Manifest

	mu    sync.Mutex // guards what follows
	homes map[int]homeRecord
}

// Create makes the directory and writes the manifest, with the state "running", and the scenario.
func Create(dir string, m Manifest, scenario []byte) (*Set, error) {
	if err := CheckEmpty(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	m.Format, m.State = 1, StateRunning
	if m.Captures == "" {
		m.Captures = CapturesAll
	}
	s := &Set{dir: dir, Manifest: m}
	if err := s.write(); err != nil {
		return nil, err
	}
	return s, writeBytes(filepath.Join(dir, FileScenario), scenario)
}

// HomePath returns the directory of a home.
func (s *Set) HomePath(home int) string { return filepath.Join(s.dir, HomeDir(home)) }

// Finish hashes the files, writes the card, and closes the manifest with a state.
func (s *Set) Finish(state string) error {
	files, err := HashAll(s.dir, InHome)
	if err != nil {
		return err
	}
	return s.Seal(state, files)
}

// InHome tells whether a path in a dataset is that of a home's file.
func InHome(path string) bool { return strings.HasPrefix(path, "home=") }

// Seal closes the manifest; files are the homes', with their hashes.
func (s *Set) Seal(state string, files map[string]string) error {
	s.Manifest.State = state
	if s.Manifest.Reasons == nil {
		s.Manifest.Reasons = []string{}
	}
	s.Manifest.Files = files
	for name, f := range map[string]func(*Manifest) ([]byte, error){FileCard: card, FileCroissant: croissant} {
		b, err := f(&s.Manifest)
		if err != nil {
			return err
		}
		if err := writeBytes(filepath.Join(s.dir, name), b); err != nil {
			return err
		}
	}
	beside, err := HashAll(s.dir, func(path string) bool { return !InHome(path) })
	if err != nil {
		return err
	}
	maps.Copy(s.Manifest.Files, beside)
	return s.write()
}

func (s *Set) write() error {
	b, err := json.MarshalIndent(&s.Manifest, "", "  ")
	if err != nil {
		return err
	}
	return writeBytes(filepath.Join(s.dir, FileManifest), append(b, '\n'))
}

// HashAll returns the sha256 of the files of a data set that are wanted, by their paths; never of the manifest, nor of the
// journal that stands in for it while homes are made.
func HashAll(dir string, want func(path string) bool) (map[string]string, error) {
	files := make(map[string]string)
	// Of the directory as a file system, so that dir itself may be a symbolic link: filepath.WalkDir does not follow one.
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && InHome(path) && !want(path):
			return fs.SkipDir
		case d.IsDir(), path == FileManifest, path == journalHomes, !want(path):
			return nil
		}
		sum, err := HashFile(filepath.Join(dir, filepath.FromSlash(path)))
		files[path] = sum
		return err
	})
	return files, err
}

// HashFile is the sha256 of a file, in hexadecimal.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Digest is the sha256 of the sorted lines "sha256  path" of all files under home=*.
func (m *Manifest) Digest() string {
	var lines []string
	for path, sum := range m.Files {
		if InHome(path) {
			lines = append(lines, sum+"  "+path+"\n")
		}
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// Dataset is a data set on disk.
type Dataset struct {
	Dir      string
	Manifest Manifest

	use   func() func(home int, r *Row) Use // of a view (Select); nil = all rows count
	watch []func(rows int64) error          // of a view (Watched)
}

// Open reads a data set's manifest. One that is still "running" may have been killed: package verify can repair it.
func Open(dir string) (*Dataset, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileManifest))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: not a data set: it has no %s", dir, FileManifest)
		}
		return nil, err
	}
	d := &Dataset{Dir: dir}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&d.Manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, FileManifest), err)
	}
	if d.Manifest.Format != 1 {
		return nil, fmt.Errorf("%s: format %d; this version reads 1", filepath.Join(dir, FileManifest), d.Manifest.Format)
	}
	return d, nil
}

// HomePath returns the directory of a home.
func (d *Dataset) HomePath(home int) string { return filepath.Join(d.Dir, HomeDir(home)) }

// Rows gives the rows of all homes, home by home, in order. The row is valid until yield returns.
func (d *Dataset) Rows(yield func(home int, r *Row) error) error {
	yield, read := d.watched(d.selected(yield))
	for _, h := range d.Manifest.Homes {
		if err := ReadRows(filepath.Join(d.HomePath(h.Home), FilePackets), func(r *Row) error { return yield(h.Home, r) }); err != nil {
			return err
		}
	}
	return read()
}

// Events gives the events of all homes, home by home, in order.
func (d *Dataset) Events(yield func(home int, e *Event) error) error {
	for _, h := range d.Manifest.Homes {
		if err := ReadEvents(filepath.Join(d.HomePath(h.Home), FileEvents), func(e *Event) error { return yield(h.Home, e) }); err != nil {
			return err
		}
	}
	return nil
}

// Add adds another count.
func (c *Counts) Add(o *Counts) {
	c.LAN, c.WAN, c.Up, c.Down = c.LAN+o.LAN, c.WAN+o.WAN, c.Up+o.Up, c.Down+o.Down
	c.Zigbee, c.BLE = c.Zigbee+o.Zigbee, c.BLE+o.BLE
	c.WithoutLAN, c.Local, c.Events = c.WithoutLAN+o.WithoutLAN, c.Local+o.Local, c.Events+o.Events
	c.Drops, c.ByDevice = addUp(c.Drops, o.Drops), addUp(c.ByDevice, o.ByDevice)
}

// addUp adds one count by names to another, which it returns; nil to nil is nil.
func addUp(to, from map[string]int64) map[string]int64 {
	if to == nil && from != nil {
		to = make(map[string]int64)
	}
	for k, n := range from {
		to[k] += n
	}
	return to
}
