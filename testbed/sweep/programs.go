package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"glasshouse/classifier/score"
	"glasshouse/testbed/dataset/prediction"
	"glasshouse/testbed/program"
)

// What programs learn from.
const (
	LabelsSame = "same" // the packets that our attackers learn from: as many of each class, at each point
	LabelsAll  = "all"  // all packets of the homes that teach
)

// ProgramRun says what a program was, and what it was given at a point: enough to tell whether another run would be the same.
type ProgramRun struct {
	Command []string       `json:"command"`
	Files   []program.File `json:"files"` // the program and its arguments that are files
	Labels  string         `json:"labels"`
	Learn   string         `json:"learn_sha256"`  // the file that it learned from
	Unseen  string         `json:"unseen_sha256"` // and the one that it labelled
}

// answer is what a program made of a point's unseen homes.
type answer struct {
	Key     string      `json:"key"`
	Run     ProgramRun  `json:"run"`
	Guesses []confusion `json:"guesses"` // of each home, in order
	failed  error       // why there are none; such an answer is not kept
}

// DirWork is the directory of a sweep's that holds what programs read and write.
const DirWork = "work"

// Files of it that programs see.
const (
	fileLearn, fileUnseen, fileGuesses = "learn.csv", "unseen.csv", "guesses.csv"
)

// contestant is a program with what tells it from another.
type contestant struct {
	*program.Command
	key   string
	files []program.File
}

func contestants(o *Options) ([]contestant, error) {
	var out []contestant
	for _, c := range o.Programs {
		files, err := c.Files()
		if err != nil {
			return nil, err
		}
		key, err := c.Key()
		if err != nil {
			return nil, err
		}
		out = append(out, contestant{c, o.Labels + "-" + key, files})
	}
	return out, nil
}

// workDir makes an empty directory for what programs read and write: within Out, or else a temporary one.
func (w *sweeper) workDir() (string, error) {
	if len(w.programs) == 0 {
		return "", nil
	}
	if w.o.Out == "" {
		return os.MkdirTemp("", "glasshouse-sweep-")
	}
	dir, err := filepath.Abs(filepath.Join(w.o.Out, DirWork)) // a program may change its own
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// clearWork takes the work directory away, but for what a program failed at first: so that it can be tried by hand.
func (w *sweeper) clearWork() {
	switch {
	case w.work == "":
	case w.o.Out == "" || len(w.failures) == 0:
		_ = os.RemoveAll(w.work)
	default:
		_ = os.RemoveAll(filepath.Join(w.work, dirLater))
	}
}

// dirLater is where programs read and write once one has failed, within the work directory: what it failed at stays as it is.
const dirLater = "later"

// workPath is where a file for programs goes.
func (w *sweeper) workPath(name string) string {
	if len(w.failures) > 0 {
		return filepath.Join(w.work, dirLater, name)
	}
	return filepath.Join(w.work, name)
}

// fail notes that a program has not answered at a point, and goes on: the other points, and the other attackers, have their figures
// all the same. It returns an error that has nothing to do with the program.
func (w *sweeper) fail(point int, name string, err error) (*answer, error) {
	_, failed := errors.AsType[*program.Error](err)
	_, wrong := errors.AsType[*prediction.Error](err)
	if !failed && !wrong {
		return nil, err
	}
	w.failures = append(w.failures, ProgramFailure{Point: w.points[point].name(w.o.Axes), Name: name, Err: err})
	return &answer{failed: err}, os.MkdirAll(filepath.Join(w.work, dirLater), 0o755)
}

// inShort is how a program failed, without what it said.
func inShort(err error) string {
	if e, ok := errors.AsType[*program.Error](err); ok {
		return e.Command + ": " + e.What
	}
	return err.Error()
}

// ProgramFailure is a cell of the result that has no figures: a program that failed at a point.
type ProgramFailure struct {
	Point, Name string
	Err         error // a *program.Error, or one that holds a *prediction.Error
}

// FailedError says which programs failed at which points. The result has all other figures.
type FailedError struct{ Failures []ProgramFailure }

// Error tells of the first in full, and names the others.
func (e *FailedError) Error() string {
	f := &e.Failures[0]
	text := fmt.Sprintf("%s: %v", f.Point, f.Err)
	var others []string
	for _, f := range e.Failures[1:] {
		others = append(others, f.Name+" at "+f.Point)
	}
	if len(others) > 0 {
		text += "\nno figures either of " + strings.Join(others, ", ")
	}
	return text
}

// Unwrap is the first failure.
func (e *FailedError) Unwrap() error { return e.Failures[0].Err }

// answers reads what programs said before of a point that had so many unseen homes; nil for one that is still to be asked.
func (w *sweeper) answers(point, homes int) []*answer {
	out := make([]*answer, len(w.programs))
	for k := range out {
		a := &answer{}
		if w.store.readAnswer(point, w.programs[k].key, a) && a.Key == w.programs[k].key && len(a.Guesses) == homes {
			out[k] = a
		}
	}
	return out
}

// ask runs the programs that have not answered yet.
func (w *sweeper) ask(ctx context.Context, point int, learn, unseen []*sample, out []*answer) error {
	run := ProgramRun{Labels: w.o.Labels}
	if !slices.Contains(out, nil) {
		return nil
	}
	classOf, err := w.teachers(learn)
	if err != nil {
		return err
	}
	teach, judge := w.workPath(fileLearn), w.workPath(fileUnseen)
	if run.Learn, err = joinRecords(teach, learn, classOf); err != nil {
		return err
	}
	if run.Unseen, err = joinRecords(judge, unseen, nil); err != nil {
		return err
	}
	packets := make(map[int]int64)
	for _, s := range unseen {
		packets[s.number] = s.packets
	}
	for _, s := range slices.Concat(learn, unseen) {
		_ = os.Remove(s.file)
		_ = os.Remove(filepath.Dir(s.file)) // of a point; the last one's is empty
	}
	for k, c := range w.programs {
		if out[k] != nil {
			continue
		}
		w.tell(point, Progress{Program: c.Name})
		guesses := w.workPath(fileGuesses)
		_ = os.Remove(guesses)
		err := c.Run(ctx, teach, judge, guesses, w.o.Limit)
		var g *score.Predictions
		if err == nil {
			if g, err = score.ReadPredictions(guesses, packets, w.j.classes); err != nil {
				err = fmt.Errorf("%s: %w", c, err)
			}
		}
		if err != nil {
			if out[k], err = w.fail(point, c.Name, err); err != nil {
				return err
			}
			continue
		}
		run.Command, run.Files = c.Args, c.files
		out[k] = &answer{Key: c.key, Run: run}
		for _, s := range unseen {
			out[k].Guesses = append(out[k].Guesses, s.confuse(func(cs *classSample, i int) int {
				class, _ := g.At(s.number, cs.at[i])
				return slices.Index(w.j.classes, class)
			}))
		}
		if err := w.store.writeAnswer(point, c.key, out[k]); err != nil {
			return err
		}
	}
	return nil
}

// teachers gives the class of each packet that programs learn from.
func (w *sweeper) teachers(learn []*sample) (func(s *sample, frame int64) string, error) {
	of := make(map[*sample][]uint8)
	for _, s := range learn {
		of[s] = s.truth
	}
	if w.o.Labels == LabelsSame {
		t, err := w.j.collect(learn)
		if err != nil {
			return nil, err
		}
		for _, s := range learn {
			of[s] = make([]uint8, s.packets)
		}
		for i, y := range t.y {
			of[t.from[i]][t.at[i]-1] = y + 1
		}
	}
	return func(s *sample, frame int64) string {
		if class := of[s][frame-1]; class > 0 {
			return w.j.classes[class-1]
		}
		return ""
	}, nil
}

// with is a point with the programs among its attackers, before the look-up.
func (w *sweeper) with(p *Point, answers []*answer) *Point {
	if len(answers) == 0 || p.Reason != "" {
		return p
	}
	out := *p
	last := len(p.Attackers) - 1
	out.Attackers = slices.Clone(p.Attackers[:last])
	out.Families = nil
	home := 0
	for _, f := range p.Families {
		f.Homes = slices.Clone(f.Homes)
		for i := range f.Homes {
			g := slices.Clone(f.Homes[i].Guesses)
			for k, a := range answers {
				var c confusion // of one that failed there is none
				if a.failed == nil {
					c = a.Guesses[home]
				}
				g = slices.Insert(g, last+k, c)
			}
			f.Homes[i].Guesses = g
			home++
		}
		out.Families = append(out.Families, f)
	}
	for k, a := range answers {
		if a.failed != nil {
			out.Attackers = append(out.Attackers, Attack{Attacker: w.programs[k].Name, PerClass: []ClassFigures{}, Failed: inShort(a.failed)})
			continue
		}
		f := figures(w.programs[k].Name, w.j.classes, out.Families, last+k)
		f.Program = &a.Run
		out.Attackers = append(out.Attackers, f)
	}
	out.Attackers = append(out.Attackers, p.Attackers[last])
	return &out
}
