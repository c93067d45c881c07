package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/live/doctor"
	"glasshouse/testbed/report"
)

// The demo's plan: the watched homes start; meanwhile other homes are simulated in the virtual world and a model of each path is trained on
// them; then the watched homes' packets are labelled as they pass.
const (
	demoWatched = 82 * time.Second
	demoScene3  = 24 * time.Second
	demoScene4  = 24 * time.Second
	// demoTimeScale is the rate of user actions in the demo's homes relative to the normal rate, so that a minute shows what happens in a few
	// hours. It overrides the scenario's.
	demoTimeScale = 140
)

type demoOptions struct {
	seed seedFlag
	out  string
	json bool
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a home, show what its ISP sees, predictions and truth",
		Long: `Runs a home behind NAPT, and the same home behind WireGuard. Meanwhile it simulates other homes in the virtual world and trains a
model of each path on them. It then labels the home's WAN packets as they pass, and scores the labels against the truth. The watched home
is live, with real sockets, TLS, DNS, NAPT and tunnel. This needs Linux and its user namespaces, but neither root nor Docker. Where the
kernel does not allow it, the demo reports this and watches a virtual home; "glasshouse doctor" lists what is missing.`,
		Example: "  glasshouse demo\n  glasshouse demo --seed 7 --json > demo.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.seed.add(cmd)
	cmd.Flags().StringVarP(&o.out, "output", "o", "", "`DIR` for the datasets, new or empty (default glasshouse-demo, or the next free number)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON; the scenes go to stderr")
	return cmd
}

// demo is one tour.
type demo struct {
	asked     uint64 // the seed that was given, or drawn
	seed      uint64 // the watched home's: see cast
	world     string // the watched home's
	why       string // it is not live
	dir       string
	scenes    *scenes
	napt      *demoHome
	vpn       *demoHome
	trainings map[string]*demoTraining // by the home's name
	began     time.Time
}

func runDemo(ctx context.Context, o *demoOptions, stdout, stderr io.Writer) error {
	dir, err := demoDir(o.out)
	if err != nil {
		return err
	}
	d := &demo{dir: dir, began: time.Now(), scenes: newScenes(stdout, stderr), world: "live", trainings: make(map[string]*demoTraining)}
	if r := doctor.Examine(); !r.Live {
		d.world, d.why = "virtual", r.FirstFix()
	}
	if o.json {
		d.scenes = newScenes(stderr, stderr)
	}
	if err := d.cast(o.seed.get()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	for _, h := range d.homes() {
		work.Go(func() { h.run(ctx, d.dir) })
	}
	d.train(ctx, &work)
	napt, vpn, err := d.play(ctx)
	if err != nil {
		return d.failure(ctx, err)
	}
	if o.json {
		_, unattributed := d.packets()
		if err := writeJSON(stdout, map[string]any{
			"world": d.world, "napt": napt, "vpn": vpn, "dataset": d.napt.dir(d.dir), "datasets": map[string]string{
				"napt": d.napt.dir(d.dir), "vpn": d.vpn.dir(d.dir),
			}, "seed": d.asked, "home_seed": d.seed, "unattributed": unattributed, "valid": len(d.faults()) == 0, "reasons": d.faults(),
			"wall_s": time.Since(d.began).Seconds(),
		}); err != nil {
			return err
		}
	}
	if f := d.faults(); len(f) > 0 {
		return &codeError{code: exitInvalid, err: fmt.Errorf("the demo is not valid: %s", strings.Join(f, "; "))}
	}
	return nil
}

// failure prefers the error of a home to that of a scene that waited for it.
func (d *demo) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the demo was stopped; what was captured until then is in %s", d.dir)
	}
	for _, h := range d.homes() {
		if e := h.failed(); e != nil {
			return explain(e)
		}
	}
	return err
}

func demoDir(out string) (string, error) {
	if out != "" {
		return absolute(out), usage(dataset.CheckEmpty(absolute(out)))
	}
	for i := 1; ; i++ {
		dir := absolute("glasshouse-demo")
		if i > 1 {
			dir = fmt.Sprintf("%s-%d", dir, i)
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, usage(dataset.CheckEmpty(dir))
		}
	}
}

// cast draws the homes. The watched one has the two voice assistants whose heartbeats the paper describes: the first seed
// from the given one on whose home has both.
func (d *demo) cast(seed uint64) error {
	d.asked = seed
	napt, err := scenarios.Load("demo-napt")
	if err != nil {
		return err
	}
	vpn, err := scenarios.Load("demo-vpn")
	if err != nil {
		return err
	}
	for ; ; seed++ {
		home, err := napt.Draw(seed, 0)
		if err != nil {
			return err
		}
		has := make(map[string]bool)
		for _, s := range home.Specimens {
			has[s.Profile.Device] = true
		}
		if has["echo-dot"] && has["google-home"] {
			d.seed = seed
			d.napt = newDemoHome("napt", napt, home, seed, d.world)
			break
		}
	}
	home, err := vpn.Draw(d.seed, 0)
	if err != nil {
		return err
	}
	d.vpn = newDemoHome("vpn", vpn, home, d.seed, d.world)
	return nil
}

// play shows the scenes and returns the scores.
func (d *demo) play(ctx context.Context) (napt, vpn *score.Score, err error) {
	s := d.scenes
	s.opening(d)
	s.house(d.napt)
	if err := s.isp(ctx, d.napt); err != nil {
		return nil, nil, err
	}
	models := make(map[string]model.Model)
	for _, scene := range []struct {
		home         *demoHome
		long         time.Duration
		title, about string
	}{
		{d.napt, demoScene3, "3  Predictions and ground truth", "the home behind NAPT"},
		{d.vpn, demoScene4, "4  The same home behind WireGuard", "one remote address, one port, sizes padded to 16 bytes"},
	} {
		t := d.trainings[scene.home.name]
		m, err := s.trained(ctx, t)
		if err != nil {
			return nil, nil, err
		}
		models[scene.home.name] = m
		s.title(scene.title, scene.about)
		s.training(t, m.Meta())
		if err := s.watch(ctx, scene.home, m, d.seed, scene.long); err != nil {
			return nil, nil, err
		}
	}
	s.fusion(d)
	for _, h := range d.homes() {
		if err := s.finished(ctx, h); err != nil {
			return nil, nil, err
		}
	}
	if napt, err = scoreHome(models["napt"], d.napt.dir(d.dir)); err != nil {
		return nil, nil, err
	}
	if vpn, err = scoreHome(models["vpn"], d.vpn.dir(d.dir)); err != nil {
		return nil, nil, err
	}
	s.title("The score", fmt.Sprintf("on a %s home that the models were not trained on", d.world))
	if err := report.WriteComparison(s.w, napt, vpn); err != nil {
		return nil, nil, err
	}
	s.closing(d)
	return napt, vpn, nil
}

func scoreHome(m model.Model, dir string) (*score.Score, error) {
	set, err := dataset.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := score.CheckUnseen(m.Meta(), set); err != nil {
		return nil, err
	}
	return score.Evaluate(m, []*dataset.Dataset{set}, nil)
}

// homes are the watched ones.
func (d *demo) homes() []*demoHome { return []*demoHome{d.napt, d.vpn} }

// packets counts the WAN packets of all homes, and those of them that have no owner.
func (d *demo) packets() (wan, unattributed int64) {
	for _, h := range d.homes() {
		if r := h.result(); r != nil {
			wan += r.Packets.WAN
			unattributed += r.Packets.Unattributed
		}
	}
	return wan, unattributed
}

// faults lists why homes of the demo are not valid; it is empty if all are.
func (d *demo) faults() []string {
	out := []string{}
	for _, h := range d.homes() {
		if r := h.result(); r != nil && !r.Valid {
			out = append(out, h.name+": "+strings.Join(r.Reasons, ", "))
		}
	}
	return out
}
