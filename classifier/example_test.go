package classifier_test

import (
	"fmt"
	"log"

	"glasshouse/classifier"
	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
)

// A model labels the packets of one home in order. It sees the observation of a row and not its label. The model here is of
// testdata/example.yaml, trained on another home (seed 2) than the one it labels (seed 1).
func ExampleLoadFile() {
	m, err := classifier.LoadFile("testdata/example.model")
	if err != nil {
		log.Fatal(err)
	}
	d, err := dataset.Open("../testbed/dataset/testdata/example")
	if err != nil {
		log.Fatal(err)
	}
	right, all := 0, 0
	l := model.NewLabeller(m, func(truth dataset.Label, class string, _ float32) error {
		all++
		if class == truth.Class {
			right++
		}
		return nil
	})
	err = d.Rows(func(_ int, r *dataset.Row) error {
		if !model.IsScored(&d.Manifest, r) {
			return nil
		}
		return l.Step(&r.Observation, r.Label)
	})
	if err == nil {
		err = l.Flush()
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s of %d classes: %d of %d packets are labelled right\n", m.Meta().Kind, len(m.Classes()), right, all)
	// Output:
	// forest of 2 classes: 137 of 137 packets are labelled right
}
