package realdata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
	"glasshouse/testbed/frames"
)

// World is what the manifest of such a data set calls its world.
const World = "captured"

// ImportOptions say what is made of a home's captures.
type ImportOptions struct {
	Home *Home
	Path scenarios.Path
	Part int    // PartAll, PartFirst or PartSecond
	Out  string // directory, new or empty
}

// Result says what Import made.
type Result struct {
	Dataset string           `json:"dataset"`
	Path    string           `json:"path"`
	Packets int64            `json:"packets"`
	Hours   float64          `json:"hours"`
	Devices map[string]int64 `json:"packets_per_device"`
	Cut     bool             `json:"payloads_cut"` // protocols above TCP and UDP do not show
	LeftOut frames.LeftOut   `json:"left_out"`     // frames of the captures, by reason
	Notes   []string         `json:"notes"`        // what is odd about the captures
}

// Import makes a dataset of one home. Where it fails, it leaves nothing behind.
func Import(ctx context.Context, o ImportOptions) (r *Result, err error) {
	if err := Check(o.Home); err != nil {
		return nil, err
	}
	if err := dataset.CheckEmpty(o.Out); err != nil {
		return nil, err
	}
	g, err := o.Home.gather(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.spill.close()) }()
	names := o.Home.Units()
	info := dataset.HomeInfo{Varied: map[string]any{"part": o.Part, "payloads_cut": g.cut, "together": o.Home.Together}}
	options := write.DirectOptions{Options: write.Options{EpochNs: g.startNs}, Activities: []string{"none"}}
	for i := range g.units {
		c := &g.units[i]
		p := c.Profile
		options.Units = append(options.Units, dataset.Label{Device: p.Device, Unit: names[i], Class: p.Class, Kind: string(p.Kind), Category: p.Category})
		d := dataset.DeviceInfo{Name: p.Device, Unit: names[i], Class: p.Class, Kind: string(p.Kind), Category: p.Category}
		if c.Addr.IsValid() {
			d.Address = c.Addr.String()
		}
		if mac, ok := c.who.Address(); ok {
			d.MAC = net.HardwareAddr(mac[:]).String()
		}
		info.Devices = append(info.Devices, d)
	}
	_, absent := os.Stat(o.Out)
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(o.Out, errors.Is(absent, fs.ErrNotExist)))
		}
	}()
	set, err := dataset.Create(o.Out, dataset.Manifest{
		Scenario: o.Home.Name, ScenarioDigest: fmt.Sprintf("%s-%d", g.digest, o.Part), Path: string(o.Path), World: World, StartNs: g.startNs, TimeScale: 1,
		Captures: dataset.CapturesNone, RunHomes: 1, Versions: map[string]string{}, Vocabulary: vocabulary(options.Units),
	}, []byte(o.Home.Source))
	if err != nil {
		return nil, err
	}
	w := writer{g: g, path: o.Path, part: o.Part}
	counts, err := w.write(ctx, set.HomePath(0), options)
	if err != nil {
		return nil, err
	}
	if counts.WAN == 0 {
		return nil, fmt.Errorf("%s: %w", o.Home.Name, ErrNothing)
	}
	info.Packets = counts.WAN
	if g.left.Total() > 0 {
		info.Varied["left_out"] = g.left
	}
	set.Manifest.DurationNs = w.end
	set.Manifest.Homes, set.Manifest.Counts, set.Manifest.Valid = []dataset.HomeInfo{info}, counts, true
	set.Manifest.Fidelity.Drops = map[string]int64{}
	if err := set.Finish(dataset.StateComplete); err != nil {
		return nil, err
	}
	return &Result{
		Dataset: o.Out, Path: string(o.Path), Packets: counts.WAN, Hours: float64(w.end) / 3600e9, Devices: counts.ByDevice, Cut: g.cut,
		LeftOut: g.left, Notes: append([]string{}, g.notes...),
	}, nil
}

// discard removes what a failed import has written, so that the next try finds the directory as this one did.
func discard(dir string, made bool) error {
	if made {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// writer writes the rows of a home.
type writer struct {
	g    *gathered
	path scenarios.Path
	part int
	end  int64 // ns: when the last packet was captured
}

func (x *writer) each(yield func(crossing) error) error {
	return x.g.each(x.part, func(p crossing) error {
		x.end = max(x.end, p.at+1)
		return yield(p)
	})
}

func (x *writer) write(ctx context.Context, dir string, o write.DirectOptions) (c dataset.Counts, err error) {
	w, err := write.CreateDirectHome(dir, o)
	if err != nil {
		return c, err
	}
	var row dataset.Observation
	tap := func(at int64, up bool, ip []byte, length int, port uint16, of packet.Lineage) {
		dir := int8(-1)
		if up {
			dir = 1
		}
		w.WAN(&row, at, dir, ip, length)
		if x.path == scenarios.PathNAPT && (row.IPProto == packet.ProtoTCP || row.IPProto == packet.ProtoUDP) {
			row.LocalPort = port
		}
		w.Row(&row, of, false)
	}
	if x.path == scenarios.PathVPN {
		var lost frames.LeftOut
		lost, err = tunnel(ctx, x.each, tap)
		x.g.left.Add(lost)
	} else {
		err = napt(x.each, tap)
	}
	if err != nil {
		return c, errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return c, err
	}
	return w.Counts(), nil
}

func vocabulary(units []dataset.Label) map[string][]string {
	v := map[string][]string{"label_activity": {"none"}, "label_role": packet.RoleNames()}
	add := func(column string, values ...string) {
		for _, s := range values {
			if !slices.Contains(v[column], s) {
				v[column] = append(v[column], s)
			}
		}
	}
	for _, u := range units {
		add("label_device", u.Device)
		add("label_unit", u.Unit)
		add("label_class", u.Class)
		add("label_kind", u.Kind)
		add("label_category", u.Category)
	}
	for _, column := range []string{"label_device", "label_unit", "label_class"} {
		add(column, "gateway", "internet")
	}
	add("label_kind", "infrastructure")
	add("label_category", "infrastructure")
	return v
}
