package results

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Markdown writes the results as RESULTS.md.
func (r *Results) Markdown(w io.Writer) error {
	var b strings.Builder
	r.head(&b)
	for _, s := range r.Sections {
		s.markdown(&b, r)
	}
	text := b.String()
	_, err := fmt.Fprintf(w, "%s%s\n", text, r.seal(text))
	return err
}

func (r *Results) head(b *strings.Builder) {
	fmt.Fprint(b, "# Results\n\nThis file is written by one command; no figure in it is copied or edited by hand.\n\n")
	if r.Quick {
		fmt.Fprint(b, "**A quick run**: fewer and shorter homes, fewer and shorter-trained models than without `--quick`. Intervals are "+
			"wide, and neural "+
			"models have trained for too short a time.\n\n")
	}
	fmt.Fprintf(b, "```\n%s\n```\n\n", r.Command)
	commit := r.Build.Commit
	if commit == "" {
		commit = "not in this build"
	}
	rows := [][]string{
		{"Build", fmt.Sprintf("glasshouse %s, commit %s, %s", r.Build.Version, commit, r.Build.Go)},
	}
	if r.Build.Program != "" {
		rows = append(rows, []string{"SHA-256 of the program", "`" + r.Build.Program + "`"})
	}
	rows = append(rows,
		[]string{"Device catalogue", "`" + r.Catalogue + "`"},
		[]string{"Machine", r.Machine.String()},
		[]string{"Date", r.Made.Format("2006-01-02")},
		[]string{"Seed", fmt.Sprint(r.Seed)},
	)
	table(b, &Table{Columns: []string{"", ""}, Rows: rows})
	fmt.Fprint(b, "Intervals are 95 % intervals over homes, drawn anew with replacement, where homes are named. Parts of a run that was "+
		"stopped "+
		"are kept; each section has the command that repeats it alone.\n\n")
	for _, s := range r.Sections {
		fmt.Fprintf(b, "- [%s](#%s)", s.Title, anchor(s.Title))
		if s.Missing != "" {
			fmt.Fprint(b, ": no result")
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

func (m Machine) String() string {
	cores := "cores"
	if m.Cores == 1 {
		cores = "core"
	}
	return fmt.Sprintf("%s, %d %s, %s %s", m.CPU, m.Cores, cores, m.System, m.Kernel)
}

func (s *Section) markdown(b *strings.Builder, r *Results) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n```\n%s\n```\n\n", s.Title, s.Measures, s.Command)
	if s.Missing != "" {
		fmt.Fprintf(b, "No result. %s\n\n", s.Missing)
		return
	}
	for i := range s.Content.Tables {
		t := &s.Content.Tables[i]
		if t.Title != "" {
			fmt.Fprintf(b, "%s\n\n", t.Title)
		}
		table(b, t)
	}
	for _, n := range s.Content.Notes {
		fmt.Fprintf(b, "%s\n\n", n)
	}
	fmt.Fprintf(b, "Seed %d; %s, %s of processor time", s.Key.Seed, seconds(s.WallS), seconds(s.CPUS))
	if s.Machine != r.Machine {
		fmt.Fprintf(b, "; made on %s", s.Machine)
	}
	fmt.Fprint(b, ".\n\n")
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1fs", s)
}

var cellEscapes = strings.NewReplacer("|", `\|`, "\n", " ")

func table(b *strings.Builder, t *Table) {
	line := func(cells []string) {
		b.WriteByte('|')
		for _, c := range cells {
			fmt.Fprintf(b, " %s |", cellEscapes.Replace(c))
		}
		b.WriteByte('\n')
	}
	line(t.Columns)
	b.WriteString("|" + strings.Repeat("---|", len(t.Columns)) + "\n")
	for _, row := range t.Rows {
		line(row)
	}
	b.WriteByte('\n')
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchor is what GitHub makes of a heading.
func anchor(title string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// seal is the last line: what made the file, for programs, and a checksum of all that stands above it.
func (r *Results) seal(text string) string {
	return fmt.Sprintf("<!-- glasshouse-results commit=%q catalogue=%q quick=%t sha256=%q -->", r.Build.Commit, r.Catalogue, r.Quick,
		sum(text))
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// Sealed is what the last line of a RESULTS.md says.
type Sealed struct {
	Commit    string `json:"commit"`
	Catalogue string `json:"catalogue_digest"`
	Quick     bool   `json:"quick"`
	Checksum  string `json:"sha256"`
}

// Errors of Check.
var (
	ErrNoSeal = errors.New("the last line has no checksum: it was not written by `glasshouse reproduce all`")
	ErrEdited = errors.New("the checksum does not match: it was edited after `glasshouse reproduce all` had written it")
)

var sealed = regexp.MustCompile(`(?s)^(.*\n)` +
	`<!-- glasshouse-results commit="([^"]*)" catalogue="([^"]*)" quick=(true|false) sha256="([0-9a-f]{64})" -->\n$`)

// Check reads what a RESULTS.md says of itself. It fails where the file is not as it was written.
func Check(text string) (*Sealed, error) {
	m := sealed.FindStringSubmatch(strings.ReplaceAll(text, "\r\n", "\n"))
	if m == nil {
		return nil, ErrNoSeal
	}
	s := &Sealed{Commit: m[2], Catalogue: m[3], Quick: m[4] == "true", Checksum: m[5]}
	if sum(m[1]) != s.Checksum {
		return s, ErrEdited
	}
	return s, nil
}

// Notices says how a file's state differs from the program's: reasons to make it anew, none of them an error.
func (s *Sealed) Notices(b Build, catalogue string) []string {
	var out []string
	if s.Catalogue != catalogue {
		out = append(out, fmt.Sprintf("made with the device catalogue %.12s; that of this build is %.12s", s.Catalogue, catalogue))
	}
	if b.Commit != "" && s.Commit != b.Commit {
		out = append(out, fmt.Sprintf("made by the commit %q; this build is of %q", s.Commit, b.Commit))
	}
	if s.Quick {
		out = append(out, "made with --quick")
	}
	return out
}
