package calibration

import (
	"fmt"
	"math"
	"strings"
	"time"

	"glasshouse/classifier/twosample"
)

// Tell is a behaviour that gives an emulation away.
type Tell struct {
	Behaviour string     `json:"behaviour"` // in words
	Feature   string     `json:"feature"`   // of the windows, by which it shows most
	AUC       float64    `json:"auc"`       // of that feature alone: 0.5 tells nothing, below it the capture's are larger
	Medians   [2]float64 `json:"medians"`
	Words     string     `json:"words"` // a sentence: what it is in the capture, and in the emulation
}

// An emulation is given away where the forest's AUC is above tellsFrom; a feature tells something by itself where its own is so
// far from one half.
const (
	tellsFrom  = 0.60
	tellsAlone = 0.08
	tellsMost  = 3 // behaviours that are named
)

// tells names the behaviours by which the windows of the two sides differ most, best first; nil where the forest can hardly tell them
// apart. what is "message" or "packet".
func tells(r *twosample.Result, what string) []Tell {
	if r == nil || r.AUC <= tellsFrom {
		return nil
	}
	var out []Tell
	seen := make(map[string]bool)
	for _, f := range r.Features {
		behaviour := behaviourOf(f.Name, what)
		if seen[behaviour] || math.Abs(f.AUC-0.5) < tellsAlone {
			continue
		}
		seen[behaviour] = true
		out = append(out, Tell{
			Behaviour: behaviour, Feature: f.Name, AUC: f.AUC, Medians: f.Medians, Words: wordsOf(&f, behaviour, what),
		})
		if len(out) == tellsMost {
			break
		}
	}
	return out
}

// note says what else is to be known of a test whose forest tells the sides apart.
func note(t *Test) string {
	if t.Result == nil || t.Result.AUC <= tellsFrom {
		return ""
	}
	var parts []string
	if len(t.Tells) == 0 {
		parts = append(parts, "No behaviour tells by itself: it is how several of them go together.")
	}
	if t.Floor != nil && t.Floor.AUC > tellsFrom {
		parts = append(parts, fmt.Sprintf(
			"The capture's own later part differs from its earlier one (AUC %.2f): so much cannot be learned from the earlier.", t.Floor.AUC))
	}
	return strings.Join(parts, " ")
}

// turnOf says in words what an interval between two messages or packets is; "" of anything else.
func turnOf(turn, what string) string {
	switch turn {
	case "up-up":
		return "how soon the device's " + what + "s follow each other"
	case "up-down":
		return "how soon the far end answers the device"
	case "down-up":
		return "how soon the device answers, or speaks again, after a " + what + " of the far end"
	case "down-down":
		return "how soon the far end's " + what + "s follow each other"
	}
	return ""
}

// behaviourOf says in words what a feature of the two-sample test measures.
func behaviourOf(feature, what string) string {
	head, rest, _ := strings.Cut(feature, ":")
	turn := turnOf(head, what)
	switch {
	case turn != "" && strings.HasPrefix(rest, " how many"):
		return "how often the two ends take turns"
	case turn != "":
		return turn
	case strings.HasPrefix(rest, " lag behind a question"):
		if head == "up" {
			return "how late the device's answers are behind what they answer"
		}
		return "how late the far end's answers are behind what they answer"
	case strings.HasPrefix(rest, " length"), strings.HasPrefix(rest, " bytes"), strings.HasPrefix(feature, "length of packet"),
		strings.HasPrefix(feature, "of rarer lengths"), strings.Contains(head, " of ") && strings.HasSuffix(feature, "how many"):
		return "which sizes the " + what + "s have, and how often"
	case strings.HasPrefix(rest, " bunches"):
		return "how many " + what + "s go one way in a row"
	case strings.HasPrefix(feature, "interval before packet"):
		return "the order in which short and long pauses come"
	case strings.HasPrefix(feature, "duration"):
		return "how much time the same number of " + what + "s takes"
	case strings.HasPrefix(feature, "intervals that come twice"):
		return "how often the same pause comes again, to the microsecond"
	}
	return feature
}

// wordsOf writes what a feature is on both sides.
func wordsOf(f *twosample.FeatureAUC, behaviour, what string) string {
	more, less := "more", "less"
	value := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	detail := f.Name
	switch {
	case strings.HasSuffix(f.Name, "log10 s"):
		more, less = "longer", "shorter"
		value = func(v float64) string {
			if v < -8 {
				return "none"
			}
			return span(math.Pow(10, v))
		}
		detail = strings.TrimSuffix(f.Name, ", log10 s")
	case strings.Contains(f.Name, "mean rank"):
		more, less = "later", "sooner"
		detail = "rank among its like, from -0.5 to 0.5"
	case strings.Contains(f.Name, "how many"), strings.Contains(f.Name, ": intervals of"):
		value = func(v float64) string { return fmt.Sprintf("%.3g of a window's %ss", v, what) }
	}
	way := more
	if f.AUC < 0.5 {
		way = less
	}
	return fmt.Sprintf("%s: mostly %s in the emulation (%s: median %s in the capture, %s in the emulation; AUC %.2f alone)",
		behaviour, way, detail, value(f.Medians[0]), value(f.Medians[1]), math.Max(f.AUC, 1-f.AUC))
}

// span writes seconds with a unit and three digits.
func span(s float64) string {
	d := time.Duration(s * 1e9)
	switch {
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g us", s*1e6)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case d < time.Hour:
		return fmt.Sprintf("%.5g s", s)
	}
	return fmt.Sprintf("%.3g h", s/3600)
}
