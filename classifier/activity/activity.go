// Package activity infers what a device is doing in a window of packets from the packets attributed to it.
// It is pure; a Roll is for one goroutine.
package activity

import (
	"fmt"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Activities infers a device's activity in a window from the window's packets that are labelled as the device's: their number, sizes,
// directions and rate. Boosted trees are trained on the training homes, where a device's activity is the one that most of its packets
// in the window belong to.
type Activities struct {
	Names  []string `json:"names"`
	Common []int    `json:"common"` // by class: its most common activity over windows, Idle included
	Trees  []byte   `json:"trees"`

	classifier *tree.Boost
}

// SetTrees sets the trees that classify activities.
func (m *Activities) SetTrees(b *tree.Boost) { m.classifier, m.Trees = b, b.Marshal() }

// Idle is the activity of a device that only maintains its connections: heartbeats, reports, name look-ups.
const Idle = "idle"

// Names lists the activities that are distinguished.
func Names() []string {
	return []string{"browsing", "call", Idle, "motion", "streaming", "switching", "voice-command"}
}

// activityOf returns the group of a packet's activity.
func activityOf(l *dataset.Label) string { return Group(l.Activity) }

// Group maps an activity of a device's profile to one of Names: Idle for what a device does on its own (timers, start-up) and for names
// that are not known.
func Group(activity string) string {
	switch activity {
	case "voice-command", "tell-about", "ask":
		return "voice-command"
	case "music", "story", "watch-lan", "watch-wan", "watch-remote", "video", "clips", "film", "streaming":
		return "streaming"
	case "motion", "motion-alert", "motion-clip", "clip", "door", "button":
		return "motion"
	case "switch-remote", "switch-local", "switch-touch", "switch-schedule", "remote-control", "light-remote", "lock-remote", "brew-remote", "print-remote", "press":
		return "switching"
	case "page-load", "scroll", "search", "forum", "map", "app-open", "game", "message", "message-in", "message-out", "mail-in", "notification", "app-update", "look-round", "screen":
		return "browsing"
	case "call":
		return "call"
	}
	return Idle
}

// Sizes of what a window says of a device.
const (
	NumFeatures   = 12 // features of a device in a window
	maxActivities = 16
)

// traffic summarises one device's packets in a window.
type traffic struct {
	n, up, full, small  int
	bytesUp, bytesDown  int64
	longest             int32
	fromNs, toNs        int64
	longestUp, largeGap int64
}

// Roll summarises one window's packets by class. The zero value is ready; it is for one goroutine.
type Roll struct {
	Of    map[string]*traffic
	Total int
}

// Add adds a packet of the window with its label.
func (r *Roll) Add(class string, o *dataset.Observation) {
	if r.Of == nil {
		r.Of = make(map[string]*traffic)
	}
	r.Total++
	a := r.Of[class]
	if a == nil {
		a = &traffic{fromNs: o.TsNs, toNs: o.TsNs}
		r.Of[class] = a
	}
	a.n++
	if o.Dir > 0 {
		a.up++
		a.bytesUp += int64(o.Length)
		a.longestUp = max(a.longestUp, int64(o.Length))
	} else {
		a.bytesDown += int64(o.Length)
	}
	a.full += stat.Indicator(o.Length >= 1000)
	a.small += stat.Indicator(o.Length < 150)
	a.longest = max(a.longest, o.Length)
	a.largeGap = max(a.largeGap, o.TsNs-a.toNs)
	a.toNs = o.TsNs
}

// Reset begins another window.
func (r *Roll) Reset() {
	clear(r.Of)
	r.Total = 0
}

// Features writes the features of a device in a window to x.
func (a *traffic) Features(class, total int, x []float32) {
	n := float32(a.n)
	took := feature.Seconds(a.toNs - a.fromNs)
	x[0], x[1], x[2], x[3] = float32(class), n, n/float32(total), float32(a.up)/n
	x[4], x[5] = float32(a.bytesUp)/float32(max(a.up, 1)), float32(a.bytesDown)/float32(max(a.n-a.up, 1))
	x[6], x[7], x[8], x[9] = took, float32(a.full)/n, float32(a.small)/n, float32(a.longest)
	x[10], x[11] = float32(a.longestUp), feature.Seconds(a.largeGap)
}

// Infer returns a class's activity in the window and the times of its first and last packet (UTC epoch, ns). The activity is "" if the
// class is absent or was not trained, or if m is nil.
func (r *Roll) Infer(m *Activities, classes []string, class string) (activity string, fromNs, toNs int64) {
	a := r.Of[class]
	if a == nil {
		return "", 0, 0
	}
	i := slices.Index(classes, class)
	if i < 0 || m == nil {
		return "", a.fromNs, a.toNs
	}
	var x [NumFeatures]float32
	var p [maxActivities]float32
	probs := p[:len(m.Names)]
	a.Features(i, r.Total, x[:])
	m.classifier.Predict(x[:], probs)
	return m.Names[stat.Argmax(probs)], a.fromNs, a.toNs
}

// Load validates and prepares an Activities that was read from a file.
func (m *Activities) Load(classes int) error {
	if len(m.Names) == 0 || len(m.Names) > maxActivities || len(m.Common) != classes {
		return fmt.Errorf("%d activities, of %d classes", len(m.Names), len(m.Common))
	}
	for _, c := range m.Common {
		if c < 0 || c >= len(m.Names) {
			return fmt.Errorf("activity %d of %d", c, len(m.Names))
		}
	}
	var err error
	m.classifier, err = tree.UnmarshalBoost(m.Trees, NumFeatures, len(m.Names))
	return err
}
