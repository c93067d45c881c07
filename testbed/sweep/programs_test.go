package sweep

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset/export"
	"glasshouse/testbed/program"
)

// asProgram makes this test's binary a program: what it does is its value.
const asProgram = "GLASSHOUSE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if what := os.Getenv(asProgram); what != "" {
		if err := play(what, os.Args[len(os.Args)-3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play is somebody's own model: the commonest class for a direction and length, or the first class there is.
func play(what string, files []string) error {
	if what == "breaks" {
		return errors.New("I do not know how")
	}
	if what == "once" { // fails at the second point of three
		log, err := os.OpenFile(os.Getenv(asProgram+"_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = log.WriteString("x")
		st, errStat := log.Stat()
		if err := errors.Join(err, errStat, log.Close()); err != nil {
			return err
		}
		if st.Size() == 2 {
			return errors.New("not this one")
		}
	}
	counts, order := make(map[string]map[string]int), []string{}
	err := eachLine(files[0], func(p map[string]string) error {
		class := p[columnClass]
		if class == "" {
			return nil
		}
		if !slices.Contains(order, class) {
			order = append(order, class)
		}
		k := p["dir"] + " " + p["length"]
		if counts[k] == nil {
			counts[k] = make(map[string]int)
		}
		counts[k][class]++
		return nil
	})
	if err != nil {
		return err
	}
	out, err := os.Create(files[2])
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "home,frame,class")
	// the sweep's order of classes decides between equals: it is told by nothing, so a test gives it
	order = strings.Split(os.Getenv(asProgram+"_CLASSES"), ",")
	err = eachLine(files[1], func(p map[string]string) error {
		if _, ok := p[columnClass]; ok {
			return errors.New("truth in what is to be guessed")
		}
		guess := order[len(order)-1]
		if n := counts[p["dir"]+" "+p["length"]]; n != nil && what == "lengths" {
			guess = slices.MaxFunc(order, func(a, b string) int {
				if d := n[a] - n[b]; d != 0 {
					return d
				}
				return slices.Index(order, b) - slices.Index(order, a)
			})
		}
		fmt.Fprintf(w, "%s,%s,%s\n", p["home"], p["frame"], guess)
		return nil
	})
	return errors.Join(err, w.Flush(), out.Close())
}

func eachLine(path string, yield func(map[string]string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return err
	}
	for _, row := range rows[1:] {
		p := make(map[string]string)
		for i, name := range rows[0] {
			p[name] = row[i]
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// own is a small sweep with this test's binary among its attackers.
func own(t *testing.T, what string, vary ...string) Options {
	t.Helper()
	t.Setenv(asProgram, what)
	o := small(t, vary...)
	c, err := newCast(o.Scenario, o.Targets)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram+"_CLASSES", strings.Join(c.classes(), ","))
	o.Programs, o.Labels, o.Limit = []*program.Command{{Name: "mine", Args: []string{os.Args[0]}}}, LabelsSame, time.Minute
	return o
}

// A program that looks lengths up, from the same packets and by the same rule, has the figures of the sweep's own look-up; ours
// are what they are without it.
func TestAProgramIsAnAttackerAsOursAre(t *testing.T) {
	o := own(t, "lengths", "devices=2,6", "path=napt,vpn")
	o.Packets = 0
	o.Out = filepath.Join(t.TempDir(), "out")
	r := run(t, o)
	alone := o
	alone.Programs, alone.Out = nil, ""
	without := run(t, alone)
	for i, p := range r.Points {
		mine, look := p.Attackers[2], p.Attackers[3]
		if mine.Attacker != "mine" || look.Attacker != lookUpName || mine.Program == nil {
			t.Fatalf("%s: %s, %s", p.Point, mine.Attacker, look.Attacker)
		}
		mine.Attacker, mine.Program = look.Attacker, nil
		if diff := cmp.Diff(asJSON(t, look), asJSON(t, mine)); diff != "" {
			t.Errorf("%s: not the look-up's figures: %s", p.Point, diff)
		}
		if i > 0 && (mine.Difference == nil || mine.Difference.Interval == nil || mine.OverPaper == nil) {
			t.Errorf("%s: not compared: %+v", p.Point, mine)
		}
		for k, ours := range without.Points[i].Attackers {
			if k == 2 {
				k = 3
			}
			if diff := cmp.Diff(asJSON(t, ours), asJSON(t, p.Attackers[k])); diff != "" {
				t.Errorf("%s: %s is not what it is alone: %s", p.Point, ours.Attacker, diff)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(o.Out, DirWork))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// what was answered is not asked again; a program that has changed is
	asked := 0
	o.Tell = func(p Progress) {
		if p.Finished == nil {
			asked++
		}
	}
	if diff := cmp.Diff(asJSON(t, r), asJSON(t, run(t, o))); diff != "" || asked > 0 {
		t.Errorf("again: %d steps; %s", asked, diff)
	}
	t.Setenv(asProgram, "other")
	o.Programs[0].Args = append(o.Programs[0].Args, "-test.v")
	again := run(t, o)
	for i, p := range again.Points {
		if a := p.Attackers[2]; a.BalancedAccuracy != again.Chance {
			t.Errorf("%s: always the same class, and balanced accuracy is %v", p.Point, a.BalancedAccuracy)
		}
		if diff := cmp.Diff(asJSON(t, r.Points[i].Attackers[:2]), asJSON(t, p.Attackers[:2])); diff != "" {
			t.Errorf("%s: ours were learned anew: %s", p.Point, diff)
		}
	}
	if asked == 0 {
		t.Error("another program was not asked")
	}
	var svg bytes.Buffer
	if err := again.Plot(&svg); err != nil || !strings.Contains(svg.String(), ">mine</text>") || len(polylines(t, svg.Bytes())) != 2*4 {
		t.Errorf("%v: the plot lacks it", err)
	}
}

// A program that fails at one point costs one cell: the other points have their figures, so have our attackers at that point, the
// result is written, and what the program was given there is kept until it has answered.
func TestAProgramThatFailsCostsItsCellAlone(t *testing.T) {
	o := own(t, "once", "devices=2,4,6")
	o.Out = filepath.Join(t.TempDir(), "out")
	t.Setenv(asProgram+"_LOG", filepath.Join(t.TempDir(), "log"))
	r, err := Run(context.Background(), o)
	failed, ok := errors.AsType[*FailedError](err)
	if !ok || len(failed.Failures) != 1 || failed.Failures[0].Point != "devices=4" || failed.Failures[0].Name != "mine" || !strings.Contains(err.Error(), "not this one") {
		t.Fatalf("%v", err)
	}
	alone := o
	alone.Programs, alone.Out = nil, ""
	without := run(t, alone)
	for i, p := range r.Points {
		mine := p.Attackers[2]
		if (mine.Failed != "") != (i == 1) || (mine.BalancedAccuracy == r.Chance) != (i != 1) || mine.Attacker != "mine" {
			t.Errorf("%s: %+v", p.Point, mine)
		}
		if mine.Difference != nil && i == 1 {
			t.Errorf("%s: compared: %+v", p.Point, mine)
		}
		for k, ours := range without.Points[i].Attackers {
			if k == 2 {
				k = 3
			}
			if diff := cmp.Diff(asJSON(t, ours), asJSON(t, p.Attackers[k])); diff != "" {
				t.Errorf("%s: %s is not what it is alone: %s", p.Point, ours.Attacker, diff)
			}
		}
	}
	for _, name := range []string{FileResult, FilePoints, FilePlot, filepath.Join(DirWork, fileLearn), filepath.Join(DirWork, fileUnseen)} {
		if _, err := os.Stat(filepath.Join(o.Out, name)); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(o.Out, DirWork)); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	var table, lines bytes.Buffer
	if err := errors.Join(r.Write(&table), r.WriteCSV(&lines)); err != nil || !strings.Contains(table.String(), "failed: ") || strings.Count(lines.String(), ",mine,,") != 1 {
		t.Errorf("%v\n%s\n%s", err, table.String(), lines.String())
	}
	if _, err := csv.NewReader(&lines).ReadAll(); err != nil {
		t.Error(err)
	}
	again := run(t, o) // asked at that point alone
	if a := again.Points[1].Attackers[2]; a.Failed != "" || a.BalancedAccuracy != again.Chance {
		t.Errorf("%+v", a)
	}
	if log, err := os.ReadFile(os.Getenv(asProgram + "_LOG")); err != nil || len(log) != 4 {
		t.Errorf("asked %d times, %v", len(log), err)
	}
}

// What a program is given: of homes to learn from the packets that teach, as many of each class; of the others what is on the wire,
// and nothing else.
func TestProgramsSeeNoTruth(t *testing.T) {
	for _, labels := range []string{LabelsSame, LabelsAll} {
		o := own(t, "breaks", "devices=2")
		o.Out, o.Labels = filepath.Join(t.TempDir(), "out"), labels
		_, err := Run(context.Background(), o)
		failed, ok := errors.AsType[*program.Error](err)
		if !ok || !strings.Contains(err.Error(), "I do not know how") || failed.What != "exit status 1" {
			t.Fatalf("a program that breaks: %v", err)
		}
		got := make(map[string]int)
		homes := make(map[string]bool)
		if err := eachLine(filepath.Join(o.Out, DirWork, fileLearn), func(p map[string]string) error {
			got[p[columnClass]]++
			homes[p["home"]] = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		none := got[""]
		delete(got, "")
		if labels == LabelsSame {
			want := make(map[string]int)
			for class := range got {
				want[class] = o.Packets
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) != 4 {
				t.Errorf("learned from: %s", diff)
			}
		} else if least := slices.Min(slices.Collect(maps.Values(got))); least < o.Packets || none == 0 || len(got) != 4 {
			t.Errorf("%v, and %d of no class", got, none)
		}
		b, err := os.ReadFile(filepath.Join(o.Out, DirWork, fileUnseen))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Join(append(export.ObservationColumns(), columnName), ",")
		if head, _, _ := strings.Cut(string(b), "\n"); head != want || strings.Contains(head, "label") || strings.Contains(head, "lost") {
			t.Errorf("columns of what is to be guessed: %s, not %s", head, want)
		}
		for _, device := range o.Targets {
			if bytes.Contains(b, []byte(device)) {
				t.Errorf("what is to be guessed names %s", device)
			}
		}
		if err := eachLine(filepath.Join(o.Out, DirWork, fileUnseen), func(p map[string]string) error {
			if homes[p["home"]] {
				return fmt.Errorf("home %s teaches, too", p["home"])
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}
