// Package card writes a model's card: what it is, what it was trained on, what its inputs mean and how well calibrated it is.
package card

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/onnx"
)

// Card says what a model is, for those who are handed it.
type Card struct {
	Kind      string    `json:"kind"`
	About     string    `json:"about"`
	Classes   []string  `json:"classes"` // in the order of the probabilities
	ClassMode string    `json:"class_mode"`
	Input     string    `json:"input"`
	Features  []Feature `json:"features"` // in the order of the input, as an export takes them
	Training  Training  `json:"training"`
	// Calibration is nil where probabilities are not calibrated.
	Calibration *model.Calibration `json:"calibration,omitempty"`
	Limits      []string           `json:"limits"`
}

// Feature is an input of a model.
type Feature struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// Training says what a model has learned from.
type Training struct {
	Packets  int            `json:"packets"`
	Homes    []model.HomeID `json:"homes"`
	Path     string         `json:"path"` // napt, vpn or mixed
	Seed     uint64         `json:"seed"`
	Majority string         `json:"majority"` // the commonest class
}

// New returns the card of a model that was made as meta says.
func New(meta *model.Meta) *Card {
	c := &Card{
		Kind: meta.Kind, About: kindAbout(meta.Kind), Input: kindInput(meta.Kind), Calibration: meta.Calibration, Classes: meta.Classes, ClassMode: meta.ClassMode,
		Training: Training{Packets: meta.Packets, Homes: meta.TrainedOn, Path: meta.Path, Seed: meta.Seed, Majority: meta.Majority},
		Limits: []string{
			"It has learned from emulated homes. What it says of real homes must be measured on real homes.",
			"A score counts on homes that it has not learned from; `glasshouse score` refuses the others.",
			"It knows the classes above and no other: a device that is none of them is called one of them.",
			"Homes on another path (NAPT or VPN) than those it has learned from look different to it.",
		},
	}
	if u := meta.Unknown; u != nil {
		c.Limits[2] = fmt.Sprintf("It knows the classes above, and calls packets unknown that seem to come from another device: thresholds are such that of %d packets of %d homes that did not teach what judged them %.3g %% were called so. An export lacks this.", u.Packets, u.Homes, 100*u.Rate)
	}
	for _, name := range onnx.InputNames(meta) {
		c.Features = append(c.Features, Feature{name, featureMeaning(meta.Kind, name)})
	}
	return c
}

// kindInput says what an exported model takes.
func kindInput(kind string) string {
	const row = "A row a packet, of these numbers in this order"
	const sequence = row + "; rows are one home's packets, all of them, in their order. Embeddings, logarithms, means and scales are in the model"
	switch kind {
	case model.KindLSTM:
		return sequence + ". An answer looks at the packets before it."
	case model.KindBiLSTM:
		return sequence + ". An exported model looks at all packets before and after; Glasshouse itself at those before and 32 to 63 after, which is the same for up to 63 packets."
	case model.KindTCN:
		return sequence + ". An answer looks at 63 packets before and 63 after."
	}
	return row + "."
}

func kindAbout(kind string) string {
	switch kind {
	case model.KindForest:
		return "Random forest (Breiman 2001): the mean of the class shares in the leaves that a packet falls into."
	case model.KindBoost:
		return "Gradient-boosted trees (Friedman 2001): the softmax of sums, one of trees for each class."
	}
	return "Neural network over the sequence of packets: " + kind + "."
}

// featureMeaning says how a feature is computed from a home's packets in their order.
func featureMeaning(kind, name string) string {
	if slices.Contains(model.NeuralKinds(), kind) {
		if i := slices.Index(neural.RichNames(), name); i >= 0 {
			return richMeanings()[i]
		}
	}
	if port, ok := strings.CutPrefix(name, feature.HotPrefix); ok {
		return "1 if the port of the far end is " + port + ", else 0"
	}
	names := feature.AllNames()
	meanings := []string{
		"port of the far end, either way; 0: none", "1 if it is IP, else 0", "1 if it is TCP, else 0", "1 if it is UDP, else 0",
		"1 if its own bytes show TLS, else 0", "1 if its own bytes show HTTP, else 0", "1 if its own bytes show DNS, else 0",
		"1 if it is neither TCP nor UDP, else 0", "1 up, -1 down", "bytes of the frame, Ethernet header included, check sequence and padding not",
		"seconds since the packet before it, either way; 0: it is the first",
		"packets since the last pause of 0.1 s or more; 1 is the first", "bytes of those packets, this one included",
		"seconds since the last packet of this length and direction; -1: none", "since_length as it was for that packet; -1: none",
		"seconds since the last packet of this direction; -1: none", "length of the packet before, negative if it went down; 0: none",
		"length of the packet 2 before, negative if it went down; 0: none", "length of the packet 3 before, negative if it went down; 0: none",
		"length of the packet 4 before, negative if it went down; 0: none", "seconds between the two packets before this one; 0: none",
		"seconds from the first to the last of the last 8 packets", "seconds from the first to the last of the last 32 packets",
		"seconds from the first to the last of the last 128 packets", "packets up among the last 32", "bytes of the last 32 packets",
		"packets of this length and direction among the last 128, this one included",
		"packets of the flow so far, this one included", "bytes of those packets", "seconds since the flow's first packet",
		"seconds since the flow's last packet; -1: none", "share of the flow's packets that went up",
		"length of the flow's packet before, negative if it went down; 0: none",
		"length of the flow's packet 2 before, negative if it went down; 0: none",
		"length of the flow's packet 3 before, negative if it went down; 0: none",
		"payload bytes of the flow's first packet up that had any; 0: none yet", "flows with the remote endpoint so far",
		"seconds since the last packet of the remote endpoint; -1: none",
	}
	if i := slices.Index(names, name); i >= 0 {
		return meanings[i]
	}
	return "see the package classifier"
}

// richMeanings says what richNames are, as an exported model takes them; one that asks how long ago something was is given 10000 at most,
// and for what has not been.
func richMeanings() []string {
	return []string{
		"logarithm of the length",
		"seconds since the last packet of this length and direction; at most 10000, which also stands for none",
		"seconds since the one before that, likewise", "seconds since the one before that, likewise",
		"seconds since the last packet of this direction, likewise", "seconds since the last packet to or from this address and port, either way, likewise",
		"packets since the last pause of 0.1 s or more; 1 is the first",
		"length of the packet before, negative if it went down; 0: none", "length of the packet 2 before, negative if it went down; 0: none",
	}
}

// WriteMarkdown writes the card for people.
func (c *Card) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# A Glasshouse model: %s\n\n%s\nIt labels each packet that an observer on a home's WAN sees with the class (%s) that it came from.\n", c.Kind, c.About, c.ClassMode)
	fmt.Fprintf(&b, "\n## Classes\n\nIn the order of the probabilities: %s.\n", strings.Join(c.Classes, ", "))
	fmt.Fprintf(&b, "\n## Input\n\n%s\n", c.Input)
	b.WriteString("\n| feature | meaning |\n|---|---|\n")
	for _, f := range c.Features {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.Meaning)
	}
	fmt.Fprintf(&b, "\n## Training\n\n%d packets of %d homes (%s), seed %d. The commonest class is %s.\n", c.Training.Packets, len(c.Training.Homes), c.Training.Path, c.Training.Seed, c.Training.Majority)
	b.WriteString("\n| scenario digest | seed | home |\n|---|---|---|\n")
	for _, h := range c.Training.Homes {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", h.ScenarioDigest, h.Seed, h.Home)
	}
	if k := c.Calibration; k != nil {
		on := fmt.Sprintf("%d homes", k.Homes)
		if k.Homes == 0 {
			on = "the end of the only home"
		}
		fmt.Fprintf(&b, "\n## Probabilities\n\nCalibrated by a temperature of %.3f, fitted on %d packets of %s that did not teach: log loss %.3f before and %.3f after, calibration error %.3f and %.3f.\n",
			k.Temperature, k.Packets, on, k.Before.LogLoss, k.After.LogLoss, k.Before.CalibrationError, k.After.CalibrationError)
	}
	b.WriteString("\n## Limits\n\n")
	for _, l := range c.Limits {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
