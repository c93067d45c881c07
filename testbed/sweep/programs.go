package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"glasshouse/classifier"
	"glasshouse/testbed/dataset"
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

// clearWork takes the work directory away, but for what a program has failed at: so that it can be tried by hand.
func (w *sweeper) clearWork(err error) {
	_, failed := errors.AsType[*program.Error](err)
	_, wrong := errors.AsType[*dataset.PredictionError](err)
	if w.work != "" && (w.o.Out == "" || !failed && !wrong) {
		_ = os.RemoveAll(w.work)
	}
}

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
	at := func(name string) string { return filepath.Join(w.work, name) }
	if run.Learn, err = joinRecords(at(fileLearn), learn, classOf); err != nil {
		return err
	}
	if run.Unseen, err = joinRecords(at(fileUnseen), unseen, nil); err != nil {
		return err
	}
	packets := make(map[int]int64)
	for _, s := range unseen {
		packets[s.number] = s.packets
	}
	for _, s := range slices.Concat(learn, unseen) {
		_ = os.Remove(s.file)
	}
	for k, c := range w.programs {
		if out[k] != nil {
			continue
		}
		w.tell(point, Progress{Program: c.Name})
		_ = os.Remove(at(fileGuesses))
		if err := c.Run(ctx, at(fileLearn), at(fileUnseen), at(fileGuesses), w.o.Limit); err != nil {
			return err
		}
		g, err := classifier.ReadGuesses(at(fileGuesses), packets, w.j.classes)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
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
				g = slices.Insert(g, last+k, a.Guesses[home])
			}
			f.Homes[i].Guesses = g
			home++
		}
		out.Families = append(out.Families, f)
	}
	for k, a := range answers {
		f := figures(w.programs[k].Name, w.j.classes, out.Families, last+k)
		f.Program = &a.Run
		out.Attackers = append(out.Attackers, f)
	}
	out.Attackers = append(out.Attackers, p.Attackers[last])
	return &out
}
