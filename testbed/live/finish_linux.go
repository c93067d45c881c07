package live

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"glasshouse/emulator/clock"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
	"glasshouse/testbed/label"
	"glasshouse/testbed/run"
)

// latenessBudget is how late the 99th percentile of timers may fire before a run is not to be trusted.
const latenessBudget = int64(100 * time.Millisecond)

// dropBudget is the share of packets that may be lost because the program was slow to take them from a kernel's queue, in which no real
// home loses any: as many as the built-in homes' radios lose after retries, a fifth of what their worst WANs do.
const dropBudget = 1e-4

// openFiles makes the data set, with its manifest in the state "running".
func (l *lab) openFiles() error {
	h := l.home
	about := run.Description{
		Scenario: l.sc, Seed: l.order.Seed, World: dataset.WorldLive, StartNs: l.start.UnixNano(),
		Duration: l.order.Duration, Density: l.density(),
	}
	m := about.Manifest()
	m.Vocabulary, m.Homes = l.names.Vocabulary(), []dataset.HomeInfo{l.names.Home(h)}
	set, err := dataset.Create(l.order.Out, m, []byte(l.sc.YAML()))
	if err != nil {
		return err
	}
	l.set = set
	o, err := about.HomeOptions(h)
	if err != nil {
		return err
	}
	l.files, err = write.CreateHome(set.HomePath(h.Index), o)
	if err != nil {
		return err
	}
	l.rows = label.NewRows(func(at int64, dir int8, ip []byte, o *dataset.Observation) { *o = l.files.WAN(at, dir, ip) }, l.emit)
	return nil
}

// finish waits for the last packets' truth, takes the home down, and closes the data set.
func (l *lab) finish(cut bool, took time.Duration) (*run.Result, error) {
	elapsed := l.order.Duration
	if cut && l.wall != nil {
		elapsed = min(elapsed, time.Duration(max(l.wall.Now(), 0)))
	}
	l.drain()
	m := &l.set.Manifest
	slow := l.fidelity(m)
	l.takeDown()
	l.events(true)
	err := l.files.Close()

	n := l.tally.Counts()
	m.Counts.LAN, m.Counts.WAN, m.Counts.Up, m.Counts.Down = n.LAN, n.WAN, n.Up, n.Down
	m.Counts.WithoutLAN, m.Counts.Local, m.Counts.Events = l.tally.WithoutLAN(), l.tally.Local(), l.tally.ScriptedEvents()
	l.files.AirCounts(&m.Counts)
	m.Counts.Drops = l.drops()
	m.Homes[0].Packets = n.WAN
	m.DurationNs = int64(elapsed)
	m.Fidelity.Unattributed = n.Unattributed
	m.Reasons = reasons(m, slow, err)
	m.Valid = len(m.Reasons) == 0
	state := dataset.StateComplete
	if cut {
		state = dataset.StateCut
	}
	if e := l.set.Finish(state); e != nil {
		err = errors.Join(err, e)
	}
	if err != nil {
		return nil, err
	}
	return &run.Result{
		Valid: m.Valid, Reasons: m.Reasons, Dataset: l.order.Out, Seed: l.order.Seed, Packets: n, SimulatedS: elapsed.Seconds(),
		WallS: took.Seconds(), Cut: cut, Scenario: l.sc.Name, Events: l.tally.ScriptedEvents(),
	}, nil
}

// takeDown closes what build opened, the last first, and waits for those who read interfaces.
func (l *lab) takeDown() {
	for _, undo := range slices.Backward(l.closing) {
		undo()
	}
	l.closing = nil
	l.readers.Wait()
}

// fidelity measures how well the run went, while the interfaces are still there. It returns how many packets were lost because the
// program was slow to take them.
func (l *lab) fidelity(m *dataset.Manifest) (slow int64) {
	var late clock.Lateness
	for _, w := range []*clock.Wall{l.wall, l.air, l.path} {
		if w != nil {
			late.Merge(w.Late())
		}
	}
	f := &m.Fidelity
	f.TimerP50Ns, f.TimerP99Ns, f.TimerMaxNs = late.Quantile(0.5), late.Quantile(0.99), late.Max()
	f.Drops = map[string]int64{"interface_write": l.writeErrors.Load()}
	for name, ns := range l.spaces {
		for _, iface := range []string{"wlan0", "eth0", "tun0", "isp0", "vpn0"} {
			if n, err := ns.Dropped(iface); err == nil && n > 0 {
				f.Drops[name+"/"+iface] = n
				slow += n
			}
		}
	}
	f.Late = l.rows.Lateness()
	if l.far != nil {
		f.Drops["far_tunnel"] = l.far.Dropped()
		slow += l.far.Dropped()
	}
	if l.ap != nil {
		l.wan.Dropped().Unseen(f.Drops, l.ap.Drops())
		all, lan := l.trace.Leaked()
		f.Drops["leak_blocked"] = all - lan
	}
	return slow
}

// drops tells what became of the LAN frames that went towards the WAN and that the tap did not see.
func (l *lab) drops() map[string]int64 {
	drops := map[string]int64{}
	if l.trace == nil {
		return drops
	}
	d := l.wan.Dropped()
	_, leaked := l.trace.Leaked()
	drops["wan_queue"], drops["nat"], drops["leak_blocked"], drops["kernel"] = d.UpQueue, d.UpNAT, leaked, l.trace.Swallowed()
	drops["after_end"] = max(l.tally.Forwarded()-d.UpQueue-d.UpNAT-leaked-drops["kernel"], 0)
	return drops
}

// reasons says why a run must not be trusted; nothing if it may. slow is how many packets the program was too slow for, writing what
// failed in writing the files.
func reasons(m *dataset.Manifest, slow int64, writing error) []string {
	var r []string
	if n := m.Fidelity.Unattributed; n > 0 {
		r = append(r, fmt.Sprintf("%d packets could not be attributed", n))
	}
	if n := m.Fidelity.Late; n > 0 {
		r = append(r, fmt.Sprintf("the truth of %d packets came after their rows were closed", n))
	}
	if late := m.Fidelity.TimerP99Ns; late > latenessBudget {
		r = append(r, fmt.Sprintf("timers fired %v late at p99; %v is allowed", time.Duration(late), time.Duration(latenessBudget)))
	}
	if n := m.Counts.Drops["leak_blocked"] + m.Fidelity.Drops["leak_blocked"]; n > 0 {
		r = append(r, fmt.Sprintf("%d packets tried to leave beside the tunnel and were blocked", n))
	}
	if n := m.Fidelity.Drops["interface_write"]; n > 0 {
		r = append(r, fmt.Sprintf("interfaces did not take %d packets", n))
	}
	if all := m.Counts.LAN + m.Counts.WAN; float64(slow) > dropBudget*float64(all) {
		r = append(r, fmt.Sprintf("%d packets of %d were dropped from queues that the program was slow to read; %g %% are allowed",
			slow, all, 100*dropBudget))
	}
	if writing != nil {
		r = append(r, writing.Error())
	}
	return r
}
