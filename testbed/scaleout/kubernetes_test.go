package scaleout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"glasshouse/testbed/dataset"
)

// manifest has the fields of the manifests in kubernetes/, as the API names them; any other is an error.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string // of a ConfigMap
	Spec       struct {
		// of a claim
		AccessModes []string `yaml:"accessModes"`
		Resources   resources

		// of a Job
		CompletionMode       string           `yaml:"completionMode"`
		Completions          int              `yaml:"completions"`
		Parallelism          int              `yaml:"parallelism"`
		BackoffLimit         int              `yaml:"backoffLimit"`
		BackoffLimitPerIndex int              `yaml:"backoffLimitPerIndex"`
		PodReplacementPolicy string           `yaml:"podReplacementPolicy"`
		PodFailurePolicy     podFailurePolicy `yaml:"podFailurePolicy"`
		Template             struct {
			Metadata struct{ Labels map[string]string }
			Spec     podSpec
		}
	}
}

type resources struct{ Requests, Limits map[string]string }

type podFailurePolicy struct {
	Rules []struct {
		Action          string
		OnPodConditions []struct{ Type, Status string } `yaml:"onPodConditions"`
		OnExitCodes     struct {
			ContainerName string `yaml:"containerName"`
			Operator      string
			Values        []int
		} `yaml:"onExitCodes"`
	}
}

type podSpec struct {
	RestartPolicy                string `yaml:"restartPolicy"`
	AutomountServiceAccountToken *bool  `yaml:"automountServiceAccountToken"`
	SecurityContext              struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		RunAsGroup     int                   `yaml:"runAsGroup"`
		FSGroup        int                   `yaml:"fsGroup"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []struct {
		Name, Image string
		EnvFrom     []struct {
			ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
		} `yaml:"envFrom"`
		Command, Args   []string
		Resources       resources
		SecurityContext struct {
			AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
			Privileged               bool
			ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct{ Add, Drop []string }
		} `yaml:"securityContext"`
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name                  string
		PersistentVolumeClaim struct {
			ClaimName string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
	}
}

// manifests reads kubernetes/: documents by kind and name.
func manifests(t *testing.T) map[string]*manifest {
	t.Helper()
	all := make(map[string]*manifest)
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v %v, want three manifests", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()); ; {
			m := new(manifest)
			if err := dec.Decode(m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all[m.Kind+"/"+m.Metadata.Name] = m
		}
	}
	return all
}

// TestKubernetesManifests wants what makes a run robust and unprivileged.
func TestKubernetesManifests(t *testing.T) {
	all := manifests(t)
	config, claim := all["ConfigMap/glasshouse-run"], all["PersistentVolumeClaim/glasshouse-data"]
	shards, merge := all["Job/glasshouse-shards"], all["Job/glasshouse-merge"]
	if len(all) != 4 || config == nil || claim == nil || shards == nil || merge == nil {
		t.Fatalf("there are %v", all)
	}
	s := &shards.Spec
	if s.CompletionMode != "Indexed" || s.BackoffLimitPerIndex < 1 || s.PodReplacementPolicy != "Failed" || s.Parallelism < 1 {
		t.Errorf("the shards' Job: %+v", s)
	}
	if n, err := strconv.Atoi(config.Data["SHARDS"]); err != nil || n != s.Completions {
		t.Errorf("SHARDS %s, completions %d", config.Data["SHARDS"], s.Completions)
	}
	if !slices.Contains(claim.Spec.AccessModes, "ReadWriteMany") {
		t.Errorf("the volume is %v: not shared", claim.Spec.AccessModes)
	}
	for _, r := range s.PodFailurePolicy.Rules {
		if len(r.OnExitCodes.Values) > 0 && r.OnExitCodes.ContainerName != s.Template.Spec.Containers[0].Name {
			t.Errorf("a rule for exit codes of %q, which is no container", r.OnExitCodes.ContainerName)
		}
	}
	for name, job := range map[string]*manifest{"shards": shards, "merge": merge} {
		pod := &job.Spec.Template.Spec
		if job.APIVersion != "batch/v1" || pod.RestartPolicy != "Never" || !pod.SecurityContext.RunAsNonRoot ||
			pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || len(pod.Containers) != 1 || len(pod.Volumes) != 1 {
			t.Fatalf("%s: %+v", name, pod)
		}
		c := &pod.Containers[0]
		if sc := c.SecurityContext; sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || sc.Privileged ||
			!sc.ReadOnlyRootFilesystem || len(sc.Capabilities.Add) > 0 || !slices.Equal(sc.Capabilities.Drop, []string{"ALL"}) {
			t.Errorf("%s: privileges %+v", name, sc)
		}
		if pod.Volumes[0].PersistentVolumeClaim.ClaimName != claim.Metadata.Name || c.EnvFrom[0].ConfigMapRef.Name != config.Metadata.Name ||
			len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != pod.Volumes[0].Name || c.Resources.Limits["memory"] == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestKubernetesCommands runs what the pods would: the shards' command for each index, then the merge's.
func TestKubernetesCommands(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		skip(t, "no sh here")
	}
	all := manifests(t)
	program := buildProgram(t)
	const homes, shards = "3", 3
	out := filepath.Join(t.TempDir(), "run")
	env := []string{"PATH=" + filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH")}
	for key, value := range all["ConfigMap/glasshouse-run"].Data {
		switch key {
		case "HOMES":
			value = homes
		case "SHARDS":
			value = strconv.Itoa(shards)
		case "DURATION":
			value = "5m"
		case "OUTPUT":
			value = out
		}
		env = append(env, key+"="+value)
	}
	run := func(job string, more ...string) {
		c := &all[job].Spec.Template.Spec.Containers[0]
		output(t, 30*time.Second, append(env, more...), c.Command[0], slices.Concat(c.Command[1:], c.Args)...)
	}
	for i := range shards {
		run("Job/glasshouse-shards", "JOB_COMPLETION_INDEX="+strconv.Itoa(i))
	}
	run("Job/glasshouse-merge")
	run("Job/glasshouse-merge") // once more, as after a lost answer

	var whole struct{ Digest string }
	printed := output(t, 30*time.Second, nil, program, "generate", "noisy-vpn", "--homes", homes, "--duration", "5m", "--seed", "1",
		"--no-pcap", "-o", filepath.Join(t.TempDir(), "whole"), "--json")
	if err := json.Unmarshal([]byte(printed), &whole); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open(filepath.Join(out, "dataset"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Manifest.Digest(); got != whole.Digest || len(d.Manifest.Homes) != shards {
		t.Errorf("merged: digest %s of %d homes; one process made %s", got, len(d.Manifest.Homes), whole.Digest)
	}
}
