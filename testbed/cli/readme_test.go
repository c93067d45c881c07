package cli_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"glasshouse/testbed/cli"
	"glasshouse/testbed/dataset"
)

// The snippets of README.md and of the folders' are run as they stand, so that one that rots fails. A snippet is the code block
// after a marker:
//
//	<!-- snippet: NAME -->
//	```LANGUAGE

// block is one code block that bears a marker.
type block struct{ name, language, text string }

var marked = regexp.MustCompile("(?s)<!-- snippet: ([a-z0-9-]+) -->\n```([a-z]+)\n(.*?)\n```\n")

// readmes is the text of all README.md files, one after another.
func readmes(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "README.md" {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		all.WriteByte('\n')
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// snippets reads all blocks with a marker; a marker that no block follows is an error.
func snippets(t *testing.T, text string) map[string]block {
	t.Helper()
	found := make(map[string]block)
	for _, m := range marked.FindAllStringSubmatch(text, -1) {
		if _, twice := found[m[1]]; twice {
			t.Errorf("two snippets are called %s", m[1])
		}
		found[m[1]] = block{m[1], m[2], m[3]}
	}
	if n := strings.Count(text, "<!-- snippet:"); n != len(found) {
		t.Errorf("%d markers, %d blocks after one", n, len(found))
	}
	return found
}

// workshop is a directory where snippets run, one after another, with the program in it as the README has it.
type workshop struct {
	t      *testing.T
	dir    string
	blocks map[string]block
	ran    []string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: t.TempDir(), blocks: snippets(t, readmes(t))}
	program, err := exec.LookPath("glasshouse") // what testscript made of this test
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(w.dir, "glasshouse")); err != nil {
		t.Fatal(err)
	}
	return w
}

// take returns a snippet's text, made smaller: what is replaced must be there.
func (w *workshop) take(name, language string, smaller ...string) string {
	w.t.Helper()
	b, ok := w.blocks[name]
	if !ok || b.language != language {
		w.t.Fatalf("no README has a snippet %s in %s", name, language)
	}
	w.ran = append(w.ran, name)
	for i := 0; i < len(smaller); i += 2 {
		if !strings.Contains(b.text, smaller[i]) {
			w.t.Fatalf("snippet %s has no %q", name, smaller[i])
		}
		b.text = strings.ReplaceAll(b.text, smaller[i], smaller[i+1])
	}
	return b.text
}

// run runs a program in the workshop and returns what it prints to stdout.
func (w *workshop) run(env []string, program string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func (w *workshop) shell(script string) string {
	w.t.Helper()
	return w.run(nil, "bash", "-euo", "pipefail", "-c", script)
}

// python runs a snippet, and after it the check that testdata/readme has for it; it returns what the check prints.
func (w *workshop) python(name, snippet string) string {
	w.t.Helper()
	check, err := os.ReadFile(filepath.Join("testdata", "readme", name+".py"))
	if err != nil {
		w.t.Fatal(err)
	}
	const border = "-- the check --"
	file := w.write(name+".py", fmt.Sprintf("%s\nprint(%q)\n%s", snippet, border, check))
	out := w.run([]string{"PYTHONDONTWRITEBYTECODE=1"}, "/usr/bin/python3", "-W", "error::FutureWarning", file) // Debian's own
	_, out, ok := strings.Cut(out, border+"\n")
	if !ok {
		w.t.Fatalf("%s did not reach its check", name)
	}
	return out
}

func (w *workshop) write(name, text string) string {
	w.t.Helper()
	// in a directory of its own, which python searches first: no file beside it may hide a library
	path := filepath.Join(w.t.TempDir(), "run-"+name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// rows reads a data set of the workshop's.
func (w *workshop) rows(set string, each func(home int, r *dataset.Row)) {
	w.t.Helper()
	d, err := dataset.Open(filepath.Join(w.dir, set))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := d.Rows(func(home int, r *dataset.Row) error { each(home, r); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// needs skips a test for which something is not installed; in CI that is a failure.
func needs(t *testing.T, what string, there bool) {
	t.Helper()
	switch {
	case there:
	case os.Getenv("GLASSHOUSE_CI") != "":
		t.Fatalf("%s is not installed", what)
	default:
		t.Skipf("%s is not installed", what)
	}
}

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func debianPython(module string) bool {
	_, err := os.Stat(filepath.Join("/usr/lib/python3/dist-packages", module))
	return err == nil
}

// A marker without a block, and two of one name, are noticed.
func TestReadmeMarkers(t *testing.T) {
	text := "<!-- snippet: one -->\n```sh\na\nb\n```\nand\n<!-- snippet: two -->\n```python\nc\n```\n"
	got := snippets(t, text)
	if len(got) != 2 || got["one"] != (block{"one", "sh", "a\nb"}) || got["two"] != (block{"two", "python", "c"}) {
		t.Errorf("%+v", got)
	}
}

// example is the YAML after a marker <!-- KIND: NAME -->.
func example(t *testing.T, text, kind, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, fmt.Sprintf("<!-- %s: %s -->\n```yaml\n", kind, name))
	if !ok {
		t.Fatalf("no README has the %s %s", kind, name)
	}
	yaml, _, _ := strings.Cut(rest, "```")
	return yaml
}

// The example scenario, with the example device that it names, is read without an error and gives a home.
func TestReadmeScenario(t *testing.T) {
	text, dir := readmes(t), t.TempDir()
	for file, yaml := range map[string]string{
		"my-sensor.yaml": example(t, text, "profile", "my-sensor"),
		"mine-home.yaml": example(t, text, "scenario", "mine-home"),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(dir, "mine-home.yaml")
	for _, args := range [][]string{
		{"scenarios", "validate", home},
		{"generate", home, "--homes", "2", "--duration", "2m", "--seed", "1", "--no-pcap", "-o", filepath.Join(dir, "mine")},
	} {
		var out bytes.Buffer
		if code := cli.Main(t.Context(), args, nil, &out, &out); code != 0 {
			t.Errorf("%v: exit %d\n%s", args, code, out.String())
		}
	}
}

// A link to a file of the repository leads to one, in every README.md and the texts beside it.
func TestReadmeLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	n := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" || strings.Contains(path, "testdata") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
		return err
	})
	if err != nil || n < 10 {
		t.Errorf("%d links, %v", n, err)
	}
}
