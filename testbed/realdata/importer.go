package realdata

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
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
}

// Import makes a data set of one home.
func Import(ctx context.Context, o ImportOptions) (*Result, error) {
	if err := Check(o.Home); err != nil {
		return nil, err
	}
	if err := dataset.CheckEmpty(o.Out); err != nil {
		return nil, err
	}
	f, err := o.Home.fuse(o.Part)
	if err != nil {
		return nil, err
	}
	if len(f.packets) == 0 {
		return nil, fmt.Errorf("%s: %w", o.Home.Name, ErrNothing)
	}
	digest, err := o.Home.digest(o.Part)
	if err != nil {
		return nil, err
	}
	names := o.Home.Units()
	info := dataset.HomeInfo{Varied: map[string]any{"part": o.Part, "payloads_cut": f.cut, "together": o.Home.Together}}
	options := dataset.DirectOptions{HomeOptions: dataset.HomeOptions{EpochNs: f.startNs}, Activities: []string{"none"}}
	for i, c := range o.Home.Captures {
		p := c.Profile
		options.Units = append(options.Units, dataset.Label{Device: p.Device, Unit: names[i], Class: p.Class, Kind: string(p.Kind), Category: p.Category})
		d := dataset.DeviceInfo{Name: p.Device, Unit: names[i], Class: p.Class, Kind: string(p.Kind), Category: p.Category}
		if c.Addr.IsValid() {
			d.Address = c.Addr.String()
		} else {
			d.MAC = net.HardwareAddr(c.MAC[:]).String()
		}
		info.Devices = append(info.Devices, d)
	}
	set, err := dataset.Create(o.Out, dataset.Manifest{
		Scenario: o.Home.Name, ScenarioDigest: digest, Path: string(o.Path), World: World, StartNs: f.startNs, DurationNs: f.end, TimeScale: 1,
		Captures: dataset.CapturesNone, RunHomes: 1, Versions: map[string]string{}, Vocabulary: vocabulary(options.Units),
	}, []byte(o.Home.Source))
	if err != nil {
		return nil, err
	}
	counts, err := write(ctx, set.HomePath(0), f, o.Path, options)
	if err != nil {
		return nil, err
	}
	info.Packets = counts.WAN
	set.Manifest.Homes, set.Manifest.Counts, set.Manifest.Valid = []dataset.HomeInfo{info}, counts, true
	set.Manifest.Fidelity.Drops = map[string]int64{}
	if err := set.Finish(dataset.StateComplete); err != nil {
		return nil, err
	}
	return &Result{Dataset: o.Out, Path: string(o.Path), Packets: counts.WAN, Hours: float64(f.end) / 3600e9, Devices: counts.ByDevice, Cut: f.cut}, nil
}

// write writes the rows of the home.
func write(ctx context.Context, dir string, f *fused, path scenarios.Path, o dataset.DirectOptions) (c dataset.Counts, err error) {
	w, err := dataset.CreateDirectHome(dir, o)
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
		if path == scenarios.PathNAPT && (row.IPProto == packet.ProtoTCP || row.IPProto == packet.ProtoUDP) {
			row.LocalPort = port
		}
		w.Row(&row, of, false)
	}
	if path == scenarios.PathVPN {
		err = tunnel(ctx, f.packets, tap)
	} else {
		napt(f.packets, tap)
	}
	if err != nil {
		return c, err
	}
	if err := w.Close(); err != nil {
		return c, err
	}
	return w.Counts(), nil
}

// digest tells what the home is: its captures' bytes, whose packets they are, and which part.
func (h *Home) digest(part int) (string, error) {
	all := sha256.New()
	if err := json.NewEncoder(all).Encode([]any{h.Name, h.Together, part}); err != nil {
		return "", err
	}
	for _, c := range h.Captures {
		in, err := os.Open(c.File)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(all, in)
		_ = in.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s %x %s %d", c.Profile.Device, c.MAC, c.Addr, c.At)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
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
