package strictyaml

import (
	"fmt"
	"slices"
	"strings"
)

// ConfigError is one thing that is wrong in a configuration file.
type ConfigError struct {
	File    string
	Line    int    // 1-based; 0 where the file as a whole is meant
	Column  int    // 1-based, in characters
	Path    string // activities[2].steps[0].service
	Msg     string // what is wrong
	Allowed string // what would be right; may be empty
	Snippet string // the line of the file, and below it a caret under the column
}

// Error returns position, path, message and what is allowed in one line, then the line of the file with its caret.
func (e ConfigError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Msg)
	if e.Allowed != "" {
		b.WriteString(" (allowed: " + e.Allowed + ")")
	}
	if e.Snippet != "" {
		b.WriteString("\n" + e.Snippet)
	}
	return b.String()
}

// ConfigErrors are all the errors of one file, in the order of their positions.
type ConfigErrors []ConfigError

// Error returns all errors, separated by line breaks; more than one is preceded by their number.
func (es ConfigErrors) Error() string {
	var b strings.Builder
	if len(es) > 1 {
		fmt.Fprintf(&b, "%s: %d errors\n", es[0].File, len(es))
	}
	for i, e := range es {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap gives errors.As each ConfigError.
func (es ConfigErrors) Unwrap() []error {
	all := make([]error, len(es))
	for i, e := range es {
		all[i] = e
	}
	return all
}

// sorted orders by position; errors at one position keep their order.
func (es ConfigErrors) sorted() ConfigErrors {
	slices.SortStableFunc(es, func(a, b ConfigError) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return es
}

// Nearest returns the candidate that is most like name, or "" where none is alike.
func Nearest(name string, candidates []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(name, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 20
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Suggest ends an error about an unknown name: the name that was probably meant, if one is alike, and before it how the names are listed.
func Suggest(name string, candidates []string, list string) string {
	if near := Nearest(name, candidates); near != "" {
		return "did you mean " + near + "? " + list
	}
	return list
}

// OneOf lists what is allowed, and guesses what was meant.
func OneOf(name string, candidates []string) string {
	list := strings.Join(candidates, ", ")
	if near := Nearest(name, candidates); near != "" {
		return list + "; did you mean " + near + "?"
	}
	return list
}
