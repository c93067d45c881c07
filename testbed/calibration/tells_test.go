package calibration

import (
	"strings"
	"testing"

	"glasshouse/classifier/twosample"
)

// Each feature by which the sides can differ belongs to a behaviour that is said in words.
func TestFeaturesAreBehaviours(t *testing.T) {
	run := func(seed uint64, pause int64) twosample.Run {
		r := twosample.Run{Seed: seed}
		for i := range int64(400) {
			dir := int8(1 - 2*(i/3%2))
			r.Packets = append(r.Packets, twosample.Packet{TsNs: i * pause * (1 + i%5), Dir: dir, Length: int32(60 + i%9*7)})
		}
		return r
	}
	a, b := []twosample.Run{run(1, 1e6), run(2, 1e6)}, []twosample.Run{run(1, 3e6), run(2, 3e6)}
	r, err := twosample.Test(t.Context(), a, b, twosample.Options{Window: 20, Trees: 20, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Features {
		if behaviourOf(f.Name, "message") == f.Name {
			t.Errorf("%q is not said in words", f.Name)
		}
	}
	for _, name := range []string{
		"length of packet 3", "interval before packet 7, log10 s", "up-down: how many", "down-up: interval, quantile 0.5, log10 s",
		"up-up: intervals of 1 ms to 1.47 ms", "down: length, quantile 1", "up of 45 bytes: how many", "of rarer lengths: how many",
		"up: bunches of over 20 packets", "down: bytes", "duration, log10 s", "intervals that come twice", "up-down: slow interval: mean rank among its like",
		"down: lag behind a question at most 4 packets before: mean ms above its twin",
	} {
		if behaviourOf(name, "message") == name {
			t.Errorf("%q is not said in words", name)
		}
	}
	got := tells(r, "message")
	if r.AUC < 0.9 || len(got) == 0 || !strings.Contains(got[0].Words, "in the emulation") || strings.Contains(got[0].Words, "log10") {
		t.Errorf("AUC %.2f: %+v", r.AUC, got)
	}
	r.AUC = 0.6
	if got := tells(r, "message"); got != nil {
		t.Errorf("what is not told apart is given away by %+v", got)
	}
	x := Test{Result: &twosample.Result{AUC: 0.7}, Floor: &twosample.Result{AUC: 0.65}}
	if n := note(&x); !strings.Contains(n, "No behaviour") || !strings.Contains(n, "AUC 0.65") {
		t.Error(n)
	}
}
