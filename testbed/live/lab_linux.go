package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/live"
	"glasshouse/emulator/live/cloud"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/live/router"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/pan"
	"glasshouse/emulator/truth"
	"glasshouse/gateway/accesspoint"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
	"glasshouse/testbed/label"
	"glasshouse/testbed/live/shell"
	"glasshouse/testbed/run"
	"glasshouse/testbed/wan"
)

// lab is one live home with its internet, inside the namespaces of this process.
type lab struct {
	order order
	sc    *scenarios.Scenario
	home  *scenarios.Home
	out   *reporter

	wall  *clock.Wall // wakes the hosts
	air   *clock.Wall // wakes the access point's delay lines
	path  *clock.Wall // wakes the WAN's delay lines
	pool  packet.Pool
	flows *truth.Registry
	names *label.Labeller
	files *write.Home
	set   *dataset.Set
	rows  *label.Rows
	wan   *wan.WAN
	trace *label.Trace
	far   *wan.FarTUN // nil without a tunnel
	panMu sync.Mutex
	pan   *pan.Air // under panMu; nil where no unit is a hub
	ap    *accesspoint.AccessPoint

	start     time.Time                   // wall time of script time 0
	spaces    map[string]*netns.Namespace // by the names that `glasshouse shell` knows
	gw, inet  *netns.Namespace
	authority *transport.Authority
	sessions  *exchange.Sessions
	hosts     []*live.Host
	taps      []func([]byte) // each device's interface
	toEth0    func([]byte)
	toISP0    func([]byte)
	tally     label.Tally

	writeErrors  atomic.Int64 // packets that an interface did not take
	firstUnknown sync.Once

	closing []func() // undone in reverse order
	readers sync.WaitGroup
}

// runLab is the body of the lab process: build, run, finish. Shells are asked for on calls.
func runLab(ctx context.Context, o order, out *reporter, calls net.Listener) (*run.Result, error) {
	began := time.Now()
	l := &lab{order: o, out: out, spaces: make(map[string]*netns.Namespace)}
	if err := l.load(); err != nil {
		return nil, err
	}
	l.start = began.Add(settleTime)
	l.progress("setting up")
	if err := l.openFiles(); err != nil {
		return nil, err
	}
	inside, cancel := context.WithCancel(ctx)
	defer cancel()
	err := l.build(inside)
	if err == nil {
		served := make(chan struct{})
		go func() {
			defer close(served)
			shell.Serve(inside, calls, l)
		}()
		err = l.live(inside)
		cancel()
		<-served
	}
	cancel()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	l.progress("finishing")
	res, finishErr := l.finish(ctx.Err() != nil || err != nil, time.Since(began))
	return res, errors.Join(err, finishErr)
}

func (l *lab) load() error {
	sc, err := scenarios.Load(l.order.Scenario)
	if err != nil {
		return err
	}
	home, err := sc.Draw(l.order.Seed, l.order.Home)
	if err != nil {
		return err
	}
	l.sc, l.home = sc, home
	l.flows = truth.NewRegistry()
	l.names = label.NewLabeller(home.Specimens, home.Activities())
	return nil
}

// Enter implements shell.Lab: it runs f in a namespace that `glasshouse shell` names.
func (l *lab) Enter(namespace string, f func() error) error {
	ns := l.spaces[namespace]
	if ns == nil {
		var names []string
		for name := range l.spaces {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("this lab has no namespace %q; it has %s", namespace, strings.Join(names, ", "))
	}
	return ns.Do(f)
}

// Resolver implements shell.Lab: a device's is the one that its lease names, the router and the internet ask the ISP's.
func (l *lab) Resolver(namespace string) netip.Addr {
	for i, h := range l.hosts {
		if l.home.Specimens[i].Name == namespace {
			return h.DNS()
		}
	}
	return l.home.DNS
}

// live performs the home's script until the duration is over or ctx ends.
func (l *lab) live(ctx context.Context) error {
	end := l.order.Duration.Nanoseconds()
	agenda := l.home.Agenda(l.order.Duration, l.density())
	l.pan = pan.New(l.home.Specimens, func(radio profile.Radio, at int64, frame []byte) { l.files.Air(string(radio), at, frame) })
	var ticking sync.WaitGroup
	ticking.Go(func() { l.tick(ctx, end) })
	inside, cancel := context.WithCancel(ctx)
	defer cancel()
	l.readers.Go(func() { router.Run(inside, l.routerConfig()) })
	l.readers.Go(func() { cloud.SendUnsolicited(inside, l.unsolicitedConfig()) })
	l.readers.Go(func() {
		if err := router.QueryGroups(inside, l.gw, l.wall, l.home.GatewayLAN, l.home.Router.IGMPQuery); err != nil {
			slog.Warn("the router does not ask for groups", "error", err)
		}
	})
	const lead = int64(250 * time.Millisecond) // hosts wait for the exact moment themselves
	for {
		next, ok := agenda.Next()
		if !ok || next.Activity.At >= end {
			break
		}
		specimen := &l.home.Specimens[next.Unit]
		l.tally.Scripted(next.Event, specimen, &next.Activity)
		if l.wall.Sleep(ctx, next.Activity.At-lead) != nil {
			continue // the rest of the script is still listed
		}
		l.panMu.Lock()
		l.pan.Event(&next)
		l.panMu.Unlock()
		l.tally.Started(next.Event, max(next.Activity.At, l.wall.Now()))
		l.hosts[next.Unit].Perform(ctx, next.Activity, next.Event, func(outcome string, at int64) {
			l.tally.Ended(next.Event, outcome, at)
		})
	}
	err := l.wall.Sleep(ctx, end)
	l.rows.Close()
	ticking.Wait()
	l.hear(min(l.wall.Now(), end))
	return err
}

// tick does what must be done every second, and sends what was reported a little more often.
func (l *lab) tick(ctx context.Context, end int64) {
	const step = int64(100 * time.Millisecond)
	for at := int64(0); at < end; at += step {
		if l.wall.Sleep(ctx, at) != nil {
			return
		}
		if at%int64(time.Second) == 0 {
			l.expire(l.wall.Now())
			l.hear(at - int64(time.Second)) // the script is told of in time, but for a loop that is held up
			l.events(false)
			_ = l.files.Flush() // a failure shows again, and counts, at Close
			l.progress("running")
		}
		l.out.flush()
	}
}

// hear writes what the hubs' radios have heard before a time. What they hear is of the script, not of the wall: an event that the
// loop was late for is still heard before its activity.
func (l *lab) hear(until int64) {
	l.panMu.Lock()
	defer l.panMu.Unlock()
	l.pan.Advance(until)
}

func (l *lab) events(all bool) {
	for _, e := range l.tally.Settled(all) {
		l.files.Event(e)
		l.out.send(message{Event: &e})
	}
}

func (l *lab) density() float64 {
	if l.order.TimeScale > 0 {
		return l.order.TimeScale
	}
	return l.sc.Household.Density
}

func (l *lab) progress(phase string) {
	p := run.Progress{Phase: phase, Duration: l.order.Duration, Packets: l.tally.Counts()}
	if l.wall != nil {
		p.Elapsed = time.Duration(max(l.wall.Now(), 0))
	}
	l.out.send(message{Progress: &p})
	l.out.flush()
}

// emit is called for each WAN packet, in order, when its truth is complete.
func (l *lab) emit(o *dataset.Observation, x packet.Lineage, lost bool) {
	l.tally.Row(o.Dir, x)
	row := dataset.Row{Observation: *o}
	row.Lost = lost
	l.names.Label(&row, x)
	l.files.Row(&row)
	if l.order.Rows {
		l.out.send(message{Row: &row})
	}
}

// drain waits, for as long as a row may, until every packet that has passed the tap has its truth.
func (l *lab) drain() {
	if l.rows == nil {
		return
	}
	l.rows.Close()
	if l.wall == nil || l.trace == nil {
		return
	}
	for until := l.wall.Now() + label.RowTimeout; l.rows.Waiting() > 0 && l.wall.Now() < until; {
		_ = l.wall.Sleep(context.Background(), l.wall.Now()+int64(10*time.Millisecond))
	}
	l.expire(clock.Forever / 2)
}

// onClose registers what finish must undo, in reverse order.
func (l *lab) onClose(c io.Closer) { l.closing = append(l.closing, func() { _ = c.Close() }) }
