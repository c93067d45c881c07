package cli

import (
	"fmt"
	"io"

	"glasshouse/classifier/score"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/plain"
)

// fewHomes is how many homes intervals should be over at least. They are drawn from the homes that there are: of fewer, a bootstrap's 95 %
// intervals contain the true value much less often than that (Efron and Tibshirani 1993, chapter 14).
const fewHomes = 8

// pathWarning reports that a model is used on a path that it was not trained on; "" where it was.
func pathWarning(trained, used string) string {
	if trained == used || trained == "mixed" || trained == "" {
		return ""
	}
	return fmt.Sprintf("the model was trained on %s homes and is used on %s: its score is meaningful for neither", trained, used)
}

// scoreWarnings lists reasons not to trust a score: a model on another path than its own, intervals over few homes.
func scoreWarnings(s *score.Score, trained string, sets []*dataset.Dataset) []string {
	out := []string{}
	used, homes := "", 0
	for _, d := range sets {
		if homes += len(d.Manifest.Homes); used != "" && used != d.Manifest.Path {
			used = "mixed"
		} else {
			used = d.Manifest.Path
		}
	}
	if w := pathWarning(trained, used); w != "" {
		out = append(out, w)
	}
	switch {
	case s.Intervals == nil:
		out = append(out, fmt.Sprintf("%s: no intervals; %d or more homes are needed for reliable ones", plain.Count(homes, "home"), fewHomes))
	case s.Intervals.Homes < fewHomes:
		out = append(out, fmt.Sprintf("the intervals are over %s: below %d they are too narrow", plain.Count(s.Intervals.Homes, "home"), fewHomes))
	}
	return out
}

// scored is a score as it is printed.
type scored struct {
	*score.Score
	Warnings []string `json:"warnings"`
}

func warn(w io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, "warning:", text)
	}
}
