// Package verify checks a dataset against itself, and puts in order what a killed run left behind. Files are streamed: memory does not
// grow with them.
package verify

import (
	"fmt"
	"maps"
	"sort"

	"glasshouse/testbed/dataset"
)

// Result says what was found.
type Result struct {
	OK       bool     `json:"ok"`
	Checked  int64    `json:"checked"`  // packets
	Problems []string `json:"problems"` // the first of them, where there are many
	Found    int      `json:"found"`    // how many there are
	Repaired []string `json:"repaired,omitempty"`
}

// maxProblems bounds the list: a broken file would fill it. Found has the number.
const maxProblems = 50

func (v *Result) problem(format string, args ...any) {
	if v.Found++; len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Run checks a data set against itself: every hash; row i against frame i; times; labels against the vocabulary and the
// events; LAN frames; the captures of radios; totals; and that no truth is in the WAN capture. Of a set without captures it checks what there is. With
// mend, what a killed run left behind is put in order first. Files are streamed: memory does not grow with them.
func Run(dir string, mend bool) (*Result, error) {
	d, err := dataset.Open(dir)
	if err != nil {
		return nil, err
	}
	v := &Result{Problems: []string{}}
	if d.Manifest.State == dataset.StateRunning {
		if !mend {
			v.problem("%s", unfinished(d))
			return v, nil
		}
		if err := repair(d, v); err != nil {
			return nil, err
		}
	}
	verifyHashes(d, v)
	var totals dataset.Counts
	whole := true
	for _, h := range d.Manifest.Homes {
		c := homeCheck{d: d, v: v, home: h}
		if err := c.run(); err != nil {
			v.problem("%s: %v", dataset.HomeDir(h.Home), err)
			whole = false
		}
		totals.Add(&c.counts)
	}
	if whole { // what could not be read was told already
		v.totals(&d.Manifest.Counts, &totals)
	}
	sort.Strings(v.Problems)
	v.OK = v.Found == 0
	return v, nil
}

// unfinished says what can be done about a data set whose manifest is not closed.
func unfinished(d *dataset.Dataset) string {
	if d.HasHomesJournal() {
		return "the run did not end, or still goes on: begun again with the same arguments it goes on; --repair keeps the homes that are whole"
	}
	return "the run did not end, or still goes on: --repair puts what it left in order"
}

func verifyHashes(d *dataset.Dataset, v *Result) {
	have, err := dataset.HashAll(d.Dir, func(string) bool { return true })
	if err != nil {
		v.problem("%v", err)
		return
	}
	for path, want := range d.Manifest.Files {
		if got, ok := have[path]; !ok {
			v.problem("%s: missing", path)
		} else if got != want {
			v.problem("%s: sha256 differs from the manifest's", path)
		}
		delete(have, path)
	}
	for path := range have {
		v.problem("%s: not in the manifest", path)
	}
}

func (v *Result) totals(want, got *dataset.Counts) {
	if want.ByDevice != nil && !maps.Equal(want.ByDevice, got.ByDevice) {
		v.problem("the manifest counts the packets of devices as %v, the files hold %v", want.ByDevice, got.ByDevice)
	}
	for _, c := range []struct {
		of        string
		want, got int64
	}{
		{"LAN frames", want.LAN, got.LAN},
		{"WAN packets", want.WAN, got.WAN},
		{"WAN packets up", want.Up, got.Up},
		{"WAN packets down", want.Down, got.Down},
		{"WAN packets without a LAN frame", want.WithoutLAN, got.WithoutLAN},
		{"events", want.Events, got.Events},
		{"Zigbee frames", want.Zigbee, got.Zigbee},
		{"Bluetooth frames", want.BLE, got.BLE},
	} {
		if c.want != c.got {
			v.problem("the manifest counts %d %s, the files hold %d", c.want, c.of, c.got)
		}
	}
}
