package cli_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"glasshouse/classifier/score"
	"glasshouse/testbed/cli"
	"glasshouse/testbed/sweep"
)

// The example trains scikit-learn's forest on an export; its guesses are scored on the homes, and the packets, that ours is, and the
// two accuracies lie within a point. How near depends on which homes there are: a home's one download is some percent of all packets,
// and what a tree says of a rate that it has not seen is chance.
func TestScikitLearnsForestIsScored(t *testing.T) {
	needs(t, "python3-sklearn", debianPython("sklearn") && debianPython("pandas"))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	glasshouse := func(args ...string) []byte {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := cli.Main(t.Context(), args, nil, &stdout, &stderr); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, stderr.String())
		}
		return stdout.Bytes()
	}
	for _, path := range []string{"napt", "vpn"} {
		learn, unseen := at(path+"-learn"), at(path+"-unseen")
		glasshouse("generate", "noisy-"+path, "--homes", "24", "--duration", "5m", "--time-scale", "3", "--seed", "1", "--no-pcap", "-o", learn)
		glasshouse("generate", "noisy-"+path, "--homes", "24", "--duration", "5m", "--time-scale", "3", "--seed", "2", "--no-pcap", "-o", unseen)
		for _, set := range []string{learn, unseen} {
			glasshouse("dataset", "export", set, "--csv", "-o", set+".csv")
		}
		if out, err := exec.Command("/usr/bin/python3", "../../classifier/examples/scikit.py", learn+".csv", unseen+".csv", at("guesses.csv")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		glasshouse("train", learn, "-m", "forest", "--seed", "1", "-o", at("ours.model"))
		var ours, theirs score.Score
		for _, s := range []struct {
			into *score.Score
			json []byte
		}{
			{&ours, glasshouse("score", at("ours.model"), unseen, "--json")},
			{&theirs, glasshouse("score", "--predictions", at("guesses.csv"), unseen, "--trained-on", learn, "--json")},
		} {
			if err := json.Unmarshal(s.json, s.into); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d packets, ours %.4f, scikit-learn's %.4f, length look-up %.4f", path, ours.N, ours.Accuracy, theirs.Accuracy, ours.Baseline.LengthLookup.Accuracy)
		if ours.N != theirs.N || ours.N < 5000 || math.Abs(ours.Accuracy-theirs.Accuracy) > 0.01 || theirs.Accuracy <= theirs.Baseline.Majority.Accuracy || theirs.Trust == nil {
			t.Errorf("%s: ours %.4f of %d, scikit-learn's %.4f of %d, always the commonest %.4f", path, ours.Accuracy, ours.N, theirs.Accuracy, theirs.N, theirs.Baseline.Majority.Accuracy)
		}
	}
}

// In a sweep the example is an attacker beside ours: it learns from the same packets by the same eleven numbers, so that it lies near
// the forest that has them, at each point, and is compared in the same pairs of homes.
func TestScikitLearnsForestIsSwept(t *testing.T) {
	needs(t, "python3-sklearn", debianPython("sklearn") && debianPython("pandas"))
	var stdout, stderr bytes.Buffer
	if code := cli.Main(t.Context(), []string{
		"sweep", "noisy-vpn", "--vary", "path=napt,vpn", "--targets", "echo-dot,google-home,xiaobai-camera", "--homes", "8", "--duration", "5m", "--time-scale", "3", "--seed", "3",
		"--model-command", "/usr/bin/python3 ../../classifier/examples/scikit.py", "-o", filepath.Join(t.TempDir(), "out"), "--json",
	}, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	var r sweep.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for i, p := range r.Points {
		ours, theirs := p.Attackers[0], p.Attackers[2]
		if theirs.Attacker != "scikit.py" || theirs.Program == nil || len(theirs.Program.Files) != 2 || theirs.Interval == nil || (i > 0) != (theirs.Difference != nil) {
			t.Fatalf("%s: %+v", p.Point, theirs)
		}
		t.Logf("%s: %d packets of each class, ours %.3f, scikit-learn's %.3f, blind %.3f", p.Point, r.Packets, ours.BalancedAccuracy, theirs.BalancedAccuracy, r.Chance)
		if d := theirs.OverPaper; math.Abs(d.BalancedAccuracy) > 0.06 || theirs.BalancedAccuracy < r.Chance+0.15 {
			t.Errorf("%s: %+v over ours", p.Point, d)
		}
	}
}
