// Package strictyaml reads YAML files that people write by hand, and reports all errors at once.
//
// A reader walks the syntax tree with typed accessors (Map, Int, Duration, ...). An accessor that meets something else
// records an error with file, line, column and what is allowed, and returns a zero value, so that the walk goes on; Err
// returns them all. Unknown and repeated keys are errors. Not supported, and refused: anchors, aliases, merge keys, tags,
// several documents in one file. It is used from one goroutine.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a file may hold. The parser recurses, so depth is bounded before it starts; lines, because indentation is depth.
const (
	maxBytes = 256 << 10
	maxLine  = 4 << 10
	maxDepth = 64
)

// Doc is one file being read.
type Doc struct {
	file  string
	lines []string
	errs  ConfigErrors
}

// Parse reads the syntax of a file. The root is usable also after an error: everything in it is absent then.
func Parse(file string, src []byte) (*Doc, Node) {
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // a byte order mark (YAML 1.2.2, section 5.2)
	d := &Doc{file: file}
	root := Node{doc: d}
	if msg := tooMuch(src); msg != "" {
		d.errs = append(d.errs, ConfigError{File: file, Msg: msg})
		return d, root
	}
	d.lines = strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	tree, err := parse(src)
	if err != nil {
		if at, ok := errors.AsType[yaml.Error](err); ok {
			d.report(at.GetToken(), "", at.GetMessage(), "")
		} else {
			d.errs = append(d.errs, ConfigError{File: file, Msg: err.Error()})
		}
		return d, root
	}
	var bodies []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		d.errs = append(d.errs, ConfigError{File: file, Msg: "the file is empty"})
	case len(bodies) > 1:
		d.report(bodies[1].GetToken(), "", "a second document", "one document in a file")
	}
	if len(bodies) > 0 {
		root.n = bodies[0]
	}
	return d, root
}

// parse shields the caller from a parser that panics on malformed input.
func parse(src []byte) (tree *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not YAML: %v", p)
		}
	}()
	return parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey()) // Map reports them, with all other errors
}

// tooMuch says why a file is not even parsed, or "".
func tooMuch(src []byte) string {
	if len(src) > maxBytes {
		return fmt.Sprintf("the file has %d bytes: at most %d are read", len(src), maxBytes)
	}
	if !utf8.Valid(src) {
		return "the file is not UTF-8 text"
	}
	line, depth := 0, 0
	for _, c := range src {
		line++
		switch c {
		case '\n':
			line = 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case 0:
			return "the file holds a zero byte: it is not YAML text"
		}
		if line > maxLine {
			return fmt.Sprintf("a line has more than %d bytes", maxLine)
		}
		if depth > maxDepth {
			return fmt.Sprintf("lists are nested deeper than %d", maxDepth)
		}
	}
	return ""
}

// Err returns all errors recorded so far in the order of their positions, or nil.
func (d *Doc) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs.sorted()
}

// Failed tells whether an error was recorded.
func (d *Doc) Failed() bool { return len(d.errs) > 0 }

func (d *Doc) report(tk *token.Token, path, msg, allowed string) {
	e := ConfigError{File: d.file, Path: path, Msg: msg, Allowed: allowed}
	if tk != nil && tk.Position != nil {
		e.Line, e.Column = tk.Position.Line, tk.Position.Column
		e.Snippet = d.snippet(e.Line, e.Column)
	}
	d.errs = append(d.errs, e)
}

// snippet returns a line of the file with its number, and a caret below it.
func (d *Doc) snippet(line, column int) string {
	if line < 1 || line > len(d.lines) {
		return ""
	}
	text := d.lines[line-1]
	var pad strings.Builder
	n := 1
	for _, c := range text {
		if n >= column {
			break
		}
		if c != '\t' {
			c = ' '
		}
		pad.WriteRune(c)
		n++
	}
	return fmt.Sprintf("%5d | %s\n      | %s^", line, text, pad.String())
}
