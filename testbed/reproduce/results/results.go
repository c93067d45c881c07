// Package results keeps the results of the project's experiments part by part, and writes them as one Markdown file, RESULTS.md, with
// what they were made by on top: build, device catalogue, machine, date, seeds and commands.
//
//	parts ─▶ Run, but for those that DIR has a result of with the same key ─▶ DIR/parts/NAME.json ─▶ Results ─▶ Markdown, JSON
//
// What a part measures is package parts' business. No text in RESULTS.md is written by hand: its last line has a checksum of the others,
// which Check compares. Called by the command line, from one goroutine.
package results

import (
	"encoding/json"
	"time"
)

// Build says what program made a result.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"` // with "-dirty" where the working tree had changes; "" where the build does not say
	Go      string `json:"go"`
	// Program is a digest of the executable where the commit does not tell what it was built from, else "".
	Program string `json:"program,omitempty"`
}

// Machine says what a result was made on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	System string `json:"system"` // operating system and architecture
}

// Key is what a part's result depends on: results of equal keys are the same, but for what is measured in wall time.
type Key struct {
	Build     Build           `json:"build"`
	Catalogue string          `json:"catalogue_digest"`
	Seed      uint64          `json:"seed"`
	Options   json.RawMessage `json:"options"` // of the part
}

// Table is a table of results.
type Table struct {
	Title   string     `json:"title,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"` // as many cells as columns
}

// Content is what a part found.
type Content struct {
	Tables []Table  `json:"tables"`
	Notes  []string `json:"notes,omitempty"` // a sentence or more each, below the tables
	Data   any      `json:"data,omitempty"`  // the figures that the tables are made of, and more
}

// Section is a part's result. One of Content and Missing is set.
type Section struct {
	Part     string    `json:"part"`
	Title    string    `json:"title"`
	Measures string    `json:"measures"` // what was measured, in plain sentences
	Command  string    `json:"command"`  // that repeats this part alone
	Key      Key       `json:"key"`
	Made     time.Time `json:"made"`
	Machine  Machine   `json:"machine"`
	WallS    float64   `json:"wall_s"`
	CPUS     float64   `json:"cpu_s"` // of this process and its children
	Content  *Content  `json:"content,omitempty"`
	// Missing says why there is no result, and Invalid that it is because a run was not valid.
	Missing string `json:"missing,omitempty"`
	Invalid bool   `json:"invalid,omitempty"`
	Open    bool   `json:"open,omitempty"` // it was not run, or failed
}

// Results are all parts.
type Results struct {
	Command   string     `json:"command"` // that makes all parts
	Quick     bool       `json:"quick"`
	Build     Build      `json:"build"`
	Catalogue string     `json:"catalogue_digest"`
	Machine   Machine    `json:"machine"`
	Made      time.Time  `json:"made"`
	Seed      uint64     `json:"seed"`
	Sections  []*Section `json:"parts"`
}

// MissingError says that what a part needs is not there: a flag, or a capability of the machine. It is no failure.
type MissingError struct{ Reason string }

func (e *MissingError) Error() string { return e.Reason }

// InvalidError says that a run of a part was not valid, so that it has no result.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return e.Reason }

// Open lists the parts that were not run or have failed.
func (r *Results) Open() []string {
	var out []string
	for _, s := range r.Sections {
		if s.Open {
			out = append(out, s.Part)
		}
	}
	return out
}
