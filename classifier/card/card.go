// Package card writes model cards: kind, training data, meaning of the inputs, calibration and limits.
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

// Card describes a model for its users.
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

// Training describes a model's training data.
type Training struct {
	Packets  int            `json:"packets"`
	Homes    []model.HomeID `json:"homes"`
	Path     string         `json:"path"` // napt, vpn or mixed
	Seed     uint64         `json:"seed"`
	Majority string         `json:"majority"` // the most common class
}

// New returns the card of a model with this metadata.
func New(meta *model.Meta) *Card {
	c := &Card{
		Kind: meta.Kind, About: kindAbout(meta.Kind), Input: kindInput(meta.Kind), Calibration: meta.Calibration, Classes: meta.Classes, ClassMode: meta.ClassMode,
		Training: Training{Packets: meta.Packets, Homes: meta.TrainedOn, Path: meta.Path, Seed: meta.Seed, Majority: meta.Majority},
		Limits: []string{
			"It was trained on emulated homes. Its accuracy on real homes must be measured on real homes.",
			"Only scores on homes outside the training set are valid; `glasshouse score` rejects training homes.",
			"It knows the classes above only: packets of any other device are labelled with one of them.",
			"Traffic on another path (NAPT or VPN) than that of the training homes looks different to it.",
		},
	}
	if u := meta.Unknown; u != nil {
		c.Limits[2] = fmt.Sprintf("It knows the classes above and labels packets that seem to come from another device as unknown. "+
			"The thresholds are set so that %.3[3]g %% of %[1]d packets of %[2]d held-out training homes were labelled unknown. "+
			"An exported model does not include this detector.", u.Packets, u.Homes, 100*u.Rate)
	}
	for _, name := range onnx.InputNames(meta) {
		c.Features = append(c.Features, Feature{name, featureMeaning(meta.Kind, name)})
	}
	return c
}

// kindInput describes the input of an exported model.
func kindInput(kind string) string {
	const row = "One row per packet, with these numbers in this order"
	const sequence = row + "; the rows are all packets of one home in order. Embeddings, logarithms, means and scales are part of the model"
	switch kind {
	case model.KindLSTM:
		return sequence + ". A prediction uses the packet and those before it."
	case model.KindBiLSTM:
		return sequence + ". An exported model uses all packets before and after; Glasshouse itself uses those before and 32 to 63 after, " +
			"which is the same for up to 63 packets."
	case model.KindTCN:
		return sequence + ". A prediction uses 63 packets before and 63 after."
	}
	return row + "."
}

func kindAbout(kind string) string {
	switch kind {
	case model.KindForest:
		return "Random forest (Breiman 2001): the mean of the class shares in the leaves that a packet reaches."
	case model.KindBoost:
		return "Gradient-boosted trees (Friedman 2001): the softmax over the classes of the sums of their trees."
	}
	return "Neural network on the sequence of packets: " + kind + "."
}

// featureMeaning describes how a feature is computed from a home's packets in order.
func featureMeaning(kind, name string) string {
	if slices.Contains(model.NeuralKinds(), kind) {
		if i := slices.Index(neural.RichNames(), name); i >= 0 {
			return richMeanings()[i]
		}
	}
	if port, ok := strings.CutPrefix(name, feature.HotPrefix); ok {
		return "1 if the remote port is " + port + ", else 0"
	}
	names := feature.AllNames()
	meanings := []string{
		"port of the remote endpoint; 0: none", "1 if it is IP, else 0", "1 if it is TCP, else 0", "1 if it is UDP, else 0",
		"1 if its own payload shows TLS, else 0", "1 if its own payload shows HTTP, else 0", "1 if its own payload shows DNS, else 0",
		"1 if it is neither TCP nor UDP, else 0", "1 up, -1 down", "bytes of the frame with the Ethernet header, without check sequence and padding",
		"seconds since the previous packet in either direction; 0: it is the first",
		"packets since the last pause of 0.1 s or more; 1 is the first", "bytes of those packets, this one included",
		"seconds since the last packet of this length and direction; -1: none", "since_length of that packet; -1: none",
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
	return "see the documentation of glasshouse/classifier/feature"
}

// richMeanings describes neural.RichNames as an exported model takes them. Times since an event are at most 10000, which also stands for
// no such event.
func richMeanings() []string {
	return []string{
		"logarithm of the length",
		"seconds since the last packet of this length and direction; at most 10000, which also stands for none",
		"seconds between that packet and the one before it of this length and direction, likewise",
		"seconds between those two and the one before, likewise",
		"seconds since the last packet of this direction, likewise", "seconds since the last packet to or from this address and port, either way, likewise",
		"packets since the last pause of 0.1 s or more; 1 is the first",
		"length of the packet before, negative if it went down; 0: none", "length of the packet 2 before, negative if it went down; 0: none",
	}
}

// WriteMarkdown writes the card as Markdown.
func (c *Card) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# A Glasshouse model: %s\n\n%s\nIt labels each packet seen by an observer on a home's WAN with its class (%s).\n", c.Kind, c.About, c.ClassMode)
	fmt.Fprintf(&b, "\n## Classes\n\nIn the order of the probabilities: %s.\n", strings.Join(c.Classes, ", "))
	fmt.Fprintf(&b, "\n## Input\n\n%s\n", c.Input)
	b.WriteString("\n| feature | meaning |\n|---|---|\n")
	for _, f := range c.Features {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.Meaning)
	}
	fmt.Fprintf(&b, "\n## Training\n\n%d packets of %d homes (%s), seed %d. The most common class is %s.\n", c.Training.Packets, len(c.Training.Homes), c.Training.Path, c.Training.Seed, c.Training.Majority)
	b.WriteString("\n| scenario digest | seed | home |\n|---|---|---|\n")
	for _, h := range c.Training.Homes {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", h.ScenarioDigest, h.Seed, h.Home)
	}
	if k := c.Calibration; k != nil {
		on := fmt.Sprintf("%d homes", k.Homes)
		if k.Homes == 0 {
			on = "the end of the only home"
		}
		fmt.Fprintf(&b, "\n## Probabilities\n\nCalibrated with temperature %.3f, fitted on %d held-out packets of %s: log loss %.3f before and %.3f after, calibration error %.3f and %.3f.\n",
			k.Temperature, k.Packets, on, k.Before.LogLoss, k.After.LogLoss, k.Before.CalibrationError, k.After.CalibrationError)
	}
	b.WriteString("\n## Limits\n\n")
	for _, l := range c.Limits {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
