// Package calibration compares a device's profile with a capture of the real device: rates, rhythms, distributions, and two-sample tests
// that name the behaviours by which the emulation is given away. It simulates the device by itself, on the capture's delay.
package calibration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"glasshouse/classifier/twosample"
	"glasshouse/devices/catalogue"
	"glasshouse/devices/learn"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/distributions"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/station"
	"glasshouse/testbed/generate"
)

// Options say what is compared: a profile's emulation, and a trace of a real device.
type Options struct {
	Profile string // name in the catalogue, or path
	Trace   *learn.Trace
	Earlier *learn.Trace // the capture before that, from which the profile was learned; nil: halves of Trace stand for it
	Seed    uint64
	Density float64 // factor on people's acts in the emulation
	Trees   int     // of the two-sample tests' forests; 200
	Workers int
}

// Comparison says how far a profile's emulation and a capture are apart: side 0 is the capture, side 1 the emulation.
type Comparison struct {
	Profile   string                   `json:"profile"`
	Seed      uint64                   `json:"seed"`
	Blocks    int                      `json:"blocks"` // in which the capture is cut; of the emulation, so many homes
	Hours     [2]float64               `json:"hours"`
	RTTms     [2]float64               `json:"rtt_ms"` // median of its SYNs
	PerHour   [2]float64               `json:"packets_per_hour"`
	UpShare   [2]float64               `json:"up_share"`
	Protocols []Share                  `json:"protocols"`
	Beats     []BeatPair               `json:"beats"`
	Distances []distributions.Distance `json:"distances"`
	Tests     []Test                   `json:"tests"`

	curves [][2][]float64 // of Distances, sorted samples
}

// Share is a protocol's part of the packets.
type Share struct {
	Name  string     `json:"name"`
	Share [2]float64 `json:"share"`
}

// BeatPair is a dialogue that keeps a rhythm in the capture, and the same dialogue in the emulation. Times in s.
type BeatPair struct {
	Shape  string     `json:"shape"`
	N      [2]int     `json:"n"`
	P10    [2]float64 `json:"p10_s"`
	Period [2]float64 `json:"p50_s"`
	P90    [2]float64 `json:"p90_s"`
	KS     float64    `json:"ks"`
	W1     float64    `json:"w1_s"`
}

// Test is a classifier two-sample test over one kind of windows.
type Test struct {
	Name   string            `json:"name"`
	Window int               `json:"window"`
	Result *twosample.Result `json:"result"`          // nil where there is too little
	Tells  []Tell            `json:"tells,omitempty"` // where the AUC is above 0.60
	Note   string            `json:"note,omitempty"`
	// Floor is of the capture's earlier half against its later one: what a perfect memory of the earlier would reach.
	Floor *twosample.Result `json:"floor"`
}

// Blocks of a comparison: a capture is cut into 2 to 8, of an hour or more where it is long enough.
const (
	blocksMost   = 8
	comparedMost = 7 * 24 * time.Hour
	settling     = 10 * time.Minute // of the emulation, left out
	calibrating  = 24 * time.Hour
)

// ErrShortCapture means that a capture is too short to be compared.
var ErrShortCapture = errors.New("the capture is too short: two minutes or more are needed")

// Compare simulates the profile in the virtual world, for as long as the capture lasts, and reports how far the two are apart. The
// emulated network is given the delay with which the capture's replies come, and a fast link, for the network is not the device. Each
// block of the emulation is a home of its own.
func Compare(ctx context.Context, o Options) (*Comparison, error) {
	span := time.Duration(o.Trace.Span())
	if span < 2*time.Minute {
		return nil, fmt.Errorf("%w: it lasts %s", ErrShortCapture, span.Round(time.Second))
	}
	c := &Comparison{Profile: o.Profile, Seed: o.Seed}
	c.Blocks = min(max(2, min(int(span/(3*time.Hour)), len(o.Trace.Packets)/600)), blocksMost)
	block := min(span, comparedMost) / time.Duration(c.Blocks)
	var real []*learn.Trace
	first := o.Trace.Packets[0].At
	for i := range c.Blocks {
		real = append(real, o.Trace.Part(first+int64(i)*int64(block), first+int64(i+1)*int64(block)))
	}
	made, err := c.liveAll(ctx, o, block, learn.Lag(o.Trace))
	if err != nil {
		return nil, err
	}
	c.measure([2][]*learn.Trace{real, made}, block)
	if err := c.test(ctx, o, [2][]*learn.Trace{real, made}); err != nil {
		return nil, err
	}
	early, late := c.earlier(o, real, block)
	return c, c.floor(ctx, o, [2][]*learn.Trace{early, late})
}

// liveAll lives a home for each block; first for some hours, to find the delay of the WAN with which its replies come as late as
// the capture's: one delay for all, and the half of them, like the capture's, faster than its median.
func (c *Comparison) liveAll(ctx context.Context, o Options, block time.Duration, lag int64) ([]*learn.Trace, error) {
	delay := time.Duration(0)
	if lag > 0 {
		trial, err := c.each(ctx, o, 0, min(block, calibrating))
		if err != nil {
			return nil, err
		}
		if r := learn.Lag(trial...); r > 0 {
			delay = max(0, time.Duration(lag-r)/2)
		}
	}
	traces, err := c.each(ctx, o, delay, block+settling)
	for i, t := range traces {
		if err != nil {
			break
		}
		start := t.Packets[0].At
		if block > 2*settling { // how it comes up is not compared, but where there is little else
			start += int64(settling)
		}
		traces[i] = t.Part(start, start+int64(block))
		if coarse(o.Trace) {
			for k := range traces[i].Packets {
				p := &traces[i].Packets[k]
				p.At -= p.At % 1000
			}
		}
	}
	return traces, err
}

// coarse tells whether a capture's times are whole microseconds, as most tools write them.
func coarse(t *learn.Trace) bool {
	for i := range t.Packets {
		if t.Packets[i].At%1000 != 0 {
			return false
		}
	}
	return true
}

// each lives a home for each block, several at once.
func (c *Comparison) each(ctx context.Context, o Options, delay, duration time.Duration) ([]*learn.Trace, error) {
	traces := make([]*learn.Trace, c.Blocks)
	workers, running := errgroup.WithContext(ctx)
	workers.SetLimit(max(1, o.Workers))
	for i := range c.Blocks {
		workers.Go(func() (err error) {
			traces[i], err = liveHome(running, o, i, delay, duration)
			return err
		})
	}
	return traces, workers.Wait()
}

// liveHome lives a home with the device alone, and reads what the access point saw.
func liveHome(ctx context.Context, o Options, i int, delay, duration time.Duration) (*learn.Trace, error) {
	dir, err := os.MkdirTemp("", "glasshouse-compare-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	profile := o.Profile
	if filepath.Ext(profile) != "" {
		if profile, err = filepath.Abs(profile); err != nil {
			return nil, err
		}
	}
	air := ""
	if p, err := catalogue.Resolve(profile); err != nil {
		return nil, err
	} else if len(p.WiFi.Doze) > 0 || len(p.Stack.Acks) > 0 || len(p.WiFi.Pace) > 0 { // its way through the air is part of what was measured
		air = "wifi: {delay: 0s, jitter: 0s, loss: 0, power_save: false}\n"
	}
	text := fmt.Sprintf("name: compare\nabout: One device.\npath: napt\ndevices:\n  - device: %s\nhousehold: {density: %s}\n"+
		"wan: {delay: %s, jitter: 0s, up_rate: 1gbit, down_rate: 1gbit}\n%s",
		strconv.Quote(profile), strconv.FormatFloat(o.Density, 'f', -1, 64), delay.Round(time.Microsecond), air)
	file := filepath.Join(dir, "compare.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	sc, err := scenarios.Load(file)
	if err != nil {
		return nil, err
	}
	sc.Exact = true
	set := filepath.Join(dir, "set")
	_, err = generate.Homes(ctx, generate.Options{
		Scenario: sc, Seed: o.Seed + uint64(i), Homes: 1, Duration: duration, Workers: 1, Shard: 1, Of: 1,
		Out: set, Captures: dataset.CapturesAll, Snaplen: 600,
	})
	if err != nil {
		return nil, err
	}
	d, err := dataset.Open(set)
	if err != nil {
		return nil, err
	}
	h, err := sc.Draw(o.Seed+uint64(i), 0)
	if err != nil {
		return nil, err
	}
	return station.Trace(filepath.Join(d.HomePath(0), dataset.FileLAN), frames.Station{MAC: h.Specimens[0].MAC})
}

// compared tells the packets that count: to and from the internet, and DNS wherever the resolver is.
func compared(p *learn.Packet) bool {
	if p.Proto == 17 && (p.RemotePort == 67 || p.RemotePort == 68) {
		return false
	}
	return p.RemotePort == 53 || !p.Remote.IsPrivate() && !p.Remote.IsMulticast() && !p.Remote.IsLinkLocalUnicast() &&
		p.Remote != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func protocolOf(p *learn.Packet) string {
	switch {
	case p.RemotePort == 53:
		return "dns"
	case p.RemotePort == 123 && p.Proto == 17:
		return "ntp"
	case p.Proto == 6 && p.Payload == 0:
		return "tcp without data"
	case p.Proto == 6:
		return "tcp with data"
	case p.Proto == 17:
		return "udp"
	case p.Proto == 1:
		return "icmp"
	}
	return "other"
}

// measure counts and compares distributions.
func (c *Comparison) measure(sides [2][]*learn.Trace, block time.Duration) {
	var n, up [2]float64
	shares := make(map[string]*[2]float64)
	var sizes [2][2][]float64
	var packetGaps, acks, replies, turns, hourly [2][]float64
	gaps := [2]map[string][]float64{{}, {}}
	var all [2][]learn.Said
	for side, traces := range sides {
		c.Hours[side] = block.Hours() * float64(len(traces))
		rtts, seen := 0.0, 0.0
		for _, t := range traces {
			if r := learn.RTT(t); r > 0 {
				rtts, seen = rtts+float64(r)/1e6, seen+1
			}
			last := int64(0)
			lastDown := make(map[uint16]int64)
			byHour := make(map[int64]float64)
			for i := range t.Packets {
				p := &t.Packets[i]
				if !compared(p) {
					continue
				}
				n[side]++
				byHour[(p.At-t.Packets[0].At)/int64(time.Hour)]++
				d := 1
				if p.Up {
					d = 0
					up[side]++
				}
				sizes[side][d] = append(sizes[side][d], float64(p.Length))
				if last > 0 {
					packetGaps[side] = append(packetGaps[side], float64(p.At-last)/1e9)
				}
				last = p.At
				name := protocolOf(p)
				if shares[name] == nil {
					shares[name] = new([2]float64)
				}
				shares[name][side]++
				if p.Proto == 6 && !p.Up && p.Payload > 0 {
					lastDown[p.LocalPort] = p.At
				} else if p.Proto == 6 && p.Up {
					if at, ok := lastDown[p.LocalPort]; ok && p.Payload == 0 {
						acks[side] = append(acks[side], float64(p.At-at)/1e6)
					}
					delete(lastDown, p.LocalPort)
				}
			}
			for h := range int64(block / time.Hour) {
				hourly[side] = append(hourly[side], byHour[h])
			}
			said := learn.Dialogues(t)
			all[side] = append(all[side], said...)
			for _, b := range learn.Beats(said) {
				for _, g := range b.Gaps {
					gaps[side][b.Shape] = append(gaps[side][b.Shape], float64(g)/1e9)
				}
			}
			for i := range said {
				if i > 0 {
					turns[side] = append(turns[side], float64(said[i].At-said[i-1].At)/1e9)
				}
				for j, m := range said[i].Messages {
					if j > 0 && !m.Up && said[i].Messages[j-1].Up {
						replies[side] = append(replies[side], float64(m.Lag)/1e6)
					}
				}
			}
		}
		c.RTTms[side] = rtts / math.Max(seen, 1)
		c.PerHour[side] = n[side] / c.Hours[side]
		c.UpShare[side] = up[side] / math.Max(n[side], 1)
	}
	for _, name := range []string{"tcp with data", "tcp without data", "udp", "dns", "ntp", "icmp", "other"} {
		if s := shares[name]; s != nil {
			c.Protocols = append(c.Protocols, Share{name, [2]float64{s[0] / math.Max(n[0], 1), s[1] / math.Max(n[1], 1)}})
		}
	}
	c.beats(all[0], gaps)
	c.distance("frame up", "B", sizes[0][0], sizes[1][0])
	c.distance("frame down", "B", sizes[0][1], sizes[1][1])
	c.distance("interval of packets", "s", packetGaps[0], packetGaps[1])
	c.distance("interval of dialogues", "s", turns[0], turns[1])
	c.distance("reply behind message up", "ms", replies[0], replies[1])
	c.distance("acknowledgement behind message down", "ms", acks[0], acks[1])
	c.distance("packets in an hour", "1", hourly[0], hourly[1])
}

func (c *Comparison) distance(name, unit string, a, b []float64) {
	if len(a) == 0 && len(b) == 0 {
		return
	}
	c.Distances = append(c.Distances, distributions.Compare(name, unit, a, b))
	c.curves = append(c.curves, [2][]float64{a, b})
}

// Curves returns the sorted samples behind Distances, in their order.
func (c *Comparison) Curves() [][2][]float64 { return c.curves }

// beats pairs the capture's rhythms with the emulation's; the most frequent ones.
func (c *Comparison) beats(said []learn.Said, gaps [2]map[string][]float64) {
	for _, b := range learn.Beats(said) {
		g := [2][]float64{gaps[0][b.Shape], gaps[1][b.Shape]}
		if len(g[0]) == 0 {
			continue
		}
		d := distributions.Compare(b.Shape, "s", g[0], g[1])
		p := BeatPair{Shape: b.Shape, N: d.N, KS: d.KS, W1: d.W1, Period: d.Medians, P90: d.P90}
		for side := range g {
			if len(g[side]) > 0 {
				p.P10[side] = distributions.Quantile(g[side], 0.1)
			}
		}
		if c.Beats = append(c.Beats, p); len(c.Beats) == 5 {
			return
		}
	}
}
