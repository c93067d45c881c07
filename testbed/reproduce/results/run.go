package results

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Part is one experiment.
type Part struct {
	Name, Title, Measures, Command string
	Options                        any           // what its result depends on, beside build, catalogue and seed
	Estimate                       time.Duration // how long it takes on this machine, about
	// Run runs it. dir exists and is the part's own: what a call that was stopped has left there is of the same key.
	Run func(ctx context.Context, dir string) (*Content, error)
}

// Plan says which parts are run where.
type Plan struct {
	Dir       string
	Parts     []Part   // all of them, in the order of the file
	Only      []string // names of those to run; nil = all
	Command   string   // that makes all parts
	Quick     bool
	Build     Build
	Catalogue string
	Machine   Machine
	Seed      uint64

	Now func() time.Time
	CPU func() time.Duration // processor time of this process and its children so far
	// Tell is told of each part before and after it is run, for progress.
	Tell func(Progress)
}

// Progress says how far a plan is.
type Progress struct {
	Part     string
	Nth, Of  int
	Estimate time.Duration // of this part
	Left     time.Duration // this one's included where it begins
	Done     bool
	Kept     bool // it was there already
	Took     time.Duration
	Missing  string
}

// Run runs what is not there yet and returns all that there is, parts of earlier calls with the same key among them. A part that fails
// leaves the others alone: the error names all that did, beside the results of the others.
func (p *Plan) Run(ctx context.Context) (*Results, error) {
	r := &Results{
		Command: p.Command, Quick: p.Quick, Build: p.Build, Catalogue: p.Catalogue, Machine: p.Machine, Seed: p.Seed,
	}
	open, err := p.kept(r)
	if err != nil {
		return nil, err
	}
	var failed []error
	pace := pace{}
	for k, i := range open {
		var left time.Duration
		for _, j := range open[k:] {
			left += pace.of(p.Parts[j].Estimate)
		}
		part := &p.Parts[i]
		p.Tell(Progress{Part: part.Name, Nth: k + 1, Of: len(open), Estimate: pace.of(part.Estimate), Left: left})
		s, err := p.part(ctx, part)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", part.Name, err))
		}
		r.Sections[i] = s
		took := time.Duration(s.WallS * float64(time.Second))
		if s.Missing == "" {
			pace.add(part.Estimate, took)
		}
		p.Tell(Progress{
			Part: part.Name, Nth: k + 1, Of: len(open), Left: left - pace.of(part.Estimate), Done: true, Took: took, Missing: s.Missing,
		})
	}
	r.Made = p.Now().UTC()
	return r, errors.Join(failed...)
}

// kept reads what is there, fills the sections of parts that are not run, and lists the others.
func (p *Plan) kept(r *Results) (open []int, err error) {
	for i := range p.Parts {
		part := &p.Parts[i]
		s, err := p.blank(part)
		if err != nil {
			return nil, err
		}
		was, other := p.load(s)
		switch {
		case was != nil:
			s = was
			p.Tell(Progress{Part: part.Name, Done: true, Kept: true, Took: time.Duration(s.WallS * float64(time.Second))})
		case p.Only == nil || slices.Contains(p.Only, part.Name):
			open = append(open, i)
		case other != "":
			s.Missing, s.Open = "The result in the directory is of another state: "+other+".", true
		default:
			s.Missing, s.Open = "Not run.", true
		}
		r.Sections = append(r.Sections, s)
	}
	return open, nil
}

// blank is a part's section without a result.
func (p *Plan) blank(part *Part) (*Section, error) {
	options, err := json.Marshal(part.Options)
	if err != nil {
		return nil, err
	}
	return &Section{
		Part: part.Name, Title: part.Title, Measures: part.Measures, Command: part.Command, Machine: p.Machine,
		Key: Key{Build: p.Build, Catalogue: p.Catalogue, Seed: p.Seed, Options: options},
	}, nil
}

// part runs one part and keeps its result. The section is there whatever happens.
func (p *Plan) part(ctx context.Context, part *Part) (*Section, error) {
	s, err := p.blank(part)
	if err != nil {
		return nil, err
	}
	began, cpu := p.Now(), p.CPU()
	work, err := p.workDir(s)
	if err == nil {
		s.Content, err = part.Run(ctx, work)
	}
	s.Made, s.WallS, s.CPUS = p.Now().UTC(), p.Now().Sub(began).Seconds(), (p.CPU() - cpu).Seconds()
	missing, isMissing := errors.AsType[*MissingError](err)
	invalid, isInvalid := errors.AsType[*InvalidError](err)
	switch {
	case isMissing:
		s.Missing = missing.Reason
		return s, os.RemoveAll(work)
	case isInvalid:
		s.Missing, s.Invalid = "The run was not valid: "+invalid.Reason, true
		return s, os.RemoveAll(work)
	case err != nil:
		s.Missing, s.Open = "It failed: "+err.Error(), true
		return s, err
	}
	if err := p.store(s); err != nil {
		return s, err
	}
	return s, os.RemoveAll(work)
}

// workDir makes a part's directory. One of another key is removed: nothing of it may get into this result.
func (p *Plan) workDir(s *Section) (string, error) {
	name := s.Part + "-" + s.Key.digest()
	old, err := filepath.Glob(filepath.Join(p.Dir, dirWork, s.Part+"-????????????"))
	if err != nil {
		return "", err
	}
	for _, o := range old {
		if filepath.Base(o) != name {
			if err := os.RemoveAll(o); err != nil {
				return "", err
			}
		}
	}
	work := filepath.Join(p.Dir, dirWork, name)
	return work, os.MkdirAll(work, 0o755)
}

// pace is how fast this machine is, against the estimates.
type pace struct{ estimated, took time.Duration }

func (p *pace) add(estimated, took time.Duration) {
	p.estimated, p.took = p.estimated+estimated, p.took+took
}

// of corrects an estimate by what the finished parts took, once they have taken long enough to tell.
func (p *pace) of(estimate time.Duration) time.Duration {
	if p.took < 10*time.Second || p.estimated <= 0 {
		return estimate
	}
	return time.Duration(float64(estimate) * float64(p.took) / float64(p.estimated))
}
