package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"glasshouse/classifier/score"
)

// Finding sets a result of ours beside what is known of the paper's. Numbers of the paper come from published notes of its
// readers, not from its text; its table of accuracies is not known to us.
type Finding struct {
	What  string `json:"what"`
	Paper string `json:"paper"`
	Ours  string `json:"ours"`
	Alike string `json:"alike"` // yes, no, or not clear: the intervals leave it open
	Why   string `json:"why,omitempty"`
}

// Answers of Finding.Alike.
const (
	alikeYes  = "yes"
	alikeNo   = "no"
	alikeOpen = "not clear"
)

// why we may differ, whatever the figure.
const (
	whyHomes  = "our homes are emulated: devices' sizes and rhythms follow profiles, and full-sized packets of all bulk traffic look alike"
	whyTunnel = "WireGuard pads to 16 bytes; the paper's VPN is not known beyond being on UDP"
	whyModels = "the paper's own settings are not known; ours are those of third-party readings"
)

// bulky is how many packets of the truth part low-volume classes from the others: a twentieth of them.
const bulky = 20

func findings(cells []Cell) []Finding {
	var out []Finding
	get := func(env, path, kind string) *score.Score {
		for _, c := range cells {
			if c.Environment == env && c.Path == path && c.Model == kind {
				return c.Score
			}
		}
		return nil
	}
	for _, path := range []string{"napt", "vpn"} {
		for _, pair := range [][2]string{{"bilstm", "lstm"}, {"lstm", "forest"}} {
			a, b := get(EnvNoisy, path, pair[0]), get(EnvNoisy, path, pair[1])
			if a == nil || b == nil {
				continue
			}
			out = append(out, ordering(path, pair, score.Compare(a, b, func(h score.HomeScore) float64 { return h.Accuracy })))
		}
	}
	var kinds []string
	for _, c := range cells {
		if !slices.Contains(kinds, c.Model) {
			kinds = append(kinds, c.Model)
		}
	}
	for _, kind := range kinds {
		if s := get(EnvNoisy, "vpn", kind); s != nil && s.Presence.Windows > 0 {
			out = append(out, hamming(kind, s))
		}
	}
	if s := lost(kinds, get); s != nil {
		out = append(out, *s)
	}
	for _, kind := range kinds {
		if s := get(EnvNoisy, "vpn", kind); s != nil {
			out = append(out, weakest(kind, s))
		}
	}
	return out
}

func ordering(path string, pair [2]string, d score.Difference) Finding {
	f := Finding{
		What: fmt.Sprintf("%s against %s, noisy homes, %s", pair[0], pair[1], path), Paper: pair[0] + " > " + pair[1], Alike: alikeOpen,
		Ours: fmt.Sprintf("accuracy %+.1f points on average over homes", 100*d.Mean),
	}
	if d.Interval != nil {
		f.Ours += fmt.Sprintf(" (95 %%: %+.1f to %+.1f)", 100*d.Interval[0], 100*d.Interval[1])
	}
	if d.Clear() {
		if f.Alike = alikeYes; d.Mean < 0 {
			f.Alike, f.Why = alikeNo, whyModels+"; "+whyHomes
		}
	}
	return f
}

func hamming(kind string, s *score.Score) Finding {
	p := s.Presence
	f := Finding{
		What: fmt.Sprintf("Hamming loss of who is active in %d packets, noisy homes, vpn, %s", p.Window, kind), Paper: "0.12 (of HomeMole; which windows is not known)",
		Ours:  fmt.Sprintf("%.3f; guessing nobody %.3f, the best constant set %.3f", p.HammingLoss, p.BaselineAbsent, p.BaselineConstant),
		Alike: alikeOpen,
	}
	if s.Intervals != nil {
		in := s.Intervals.HammingLoss
		f.Ours += fmt.Sprintf(" (95 %%: %.3f to %.3f)", in[0], in[1])
		switch {
		case in[1] < 0.12:
			f.Alike, f.Why = alikeNo, "ours is lower; "+whyHomes
		case in[0] > 0.12:
			f.Alike, f.Why = alikeNo, "ours is higher; "+whyHomes
		case in[1]-in[0] <= 0.1: // a wide interval holds anything
			f.Alike = alikeYes
		}
	}
	if p.HammingLoss >= min(p.BaselineAbsent, p.BaselineConstant) {
		f.Why = strings.TrimPrefix(f.Why+"; a constant guess does as well, so the figure says nothing", "; ")
	}
	return f
}

// lost compares recalls behind NAPT and behind the VPN, by class and model.
func lost(kinds []string, get func(env, path, kind string) *score.Score) *Finding {
	least, most := math.Inf(1), math.Inf(-1)
	var from, to string
	for _, kind := range kinds {
		a, b := get(EnvNoisy, "napt", kind), get(EnvNoisy, "vpn", kind)
		if a == nil || b == nil {
			continue
		}
		for _, c := range a.PerClass {
			i := slices.IndexFunc(b.PerClass, func(x score.ClassScore) bool { return x.Class == c.Class })
			if i < 0 || c.TooFew || b.PerClass[i].TooFew {
				continue
			}
			points := 100 * (c.Recall - b.PerClass[i].Recall)
			if points < least {
				least, from = points, c.Class+", "+kind
			}
			if points > most {
				most, to = points, c.Class+", "+kind
			}
		}
	}
	if from == "" || from == to { // nothing to compare
		return nil
	}
	f := &Finding{
		What: "what the VPN costs, points of a device's recall, noisy homes", Paper: "8.2 to 87.4 by device and model",
		Ours: fmt.Sprintf("%.1f (%s) to %.1f (%s)", least, from, most, to), Alike: alikeNo, Why: whyTunnel + "; " + whyHomes,
	}
	if least >= 8.2-5 && most <= 87.4+5 && most >= 87.4/2 {
		f.Alike, f.Why = alikeYes, ""
	}
	return f
}

// weakest tells whether classes with few packets are told worst.
func weakest(kind string, s *score.Score) Finding {
	f := Finding{What: "devices of low volume, noisy homes, vpn, " + kind, Paper: "weakest (Orvibo, TP-Link)", Alike: alikeOpen}
	var low, high, names []string
	var sumLow, sumHigh float64
	for _, c := range s.PerClass {
		switch {
		case c.TooFew:
		case c.Support*bulky < s.N:
			low, sumLow = append(low, c.Class), sumLow+c.F1
			names = append(names, fmt.Sprintf("%s %.2f", c.Class, c.F1))
		default:
			high, sumHigh = append(high, c.Class), sumHigh+c.F1
		}
	}
	if len(low) == 0 || len(high) == 0 {
		f.Ours = "no class has few packets, or all have"
		return f
	}
	a, b := sumLow/float64(len(low)), sumHigh/float64(len(high))
	f.Ours = fmt.Sprintf("mean F1 %.2f under a twentieth of the packets (%s), %.2f above", a, strings.Join(names, ", "), b)
	if f.Alike = alikeYes; a >= b {
		f.Alike, f.Why = alikeNo, whyHomes
	}
	return f
}
