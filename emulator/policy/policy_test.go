package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is what the files of a folder and those below it, without tests, declare as constants and use of this package.
type world struct{ constants, uses map[string]bool }

func read(t *testing.T, dir string) world {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".go" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	w := world{map[string]bool{}, map[string]bool{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						w.constants[n.Name] = true
					}
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "policy" {
					w.uses[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return w
}

// TestBothWorldsUseIt: no constant is declared in both worlds, and what hosts do stands in both by its name here.
func TestBothWorldsUseIt(t *testing.T) {
	live, virtual := read(t, "../live"), read(t, "../virtual")
	for n := range live.constants {
		if n != "_" && virtual.constants[n] {
			t.Errorf("both worlds declare the constant %s; say it once, in this package or in package wire", n)
		}
	}
	own := read(t, ".")
	for n := range own.constants {
		switch n {
		case "DialTimeout", "SYNTries": // one handshake in two terms: TestSYNTriesFitTheDialTimeout
			if !live.uses[n] && !virtual.uses[n] {
				t.Errorf("%s is used in no world", n)
			}
		case "ReceiveBufferFirst", "ReceiveBufferMost": // live by TCPSysctls
			if !virtual.uses[n] {
				t.Errorf("%s is not used in the virtual world", n)
			}
		default:
			if !live.uses[n] || !virtual.uses[n] {
				t.Errorf("%s is used live: %v, virtual: %v", n, live.uses[n], virtual.uses[n])
			}
		}
	}
	if n := "NextEphemeral"; !live.uses[n] || !virtual.uses[n] {
		t.Errorf("%s is used live: %v, virtual: %v", n, live.uses[n], virtual.uses[n])
	}
}

// TestSYNTriesFitTheDialTimeout: the SYN after the last would leave with less than a timeout's first second left.
func TestSYNTriesFitTheDialTimeout(t *testing.T) {
	at := time.Duration(0)
	for i := range SYNTries {
		if at >= DialTimeout {
			t.Errorf("SYN %d leaves after %v, the dialer waits %v", i+1, at, DialTimeout)
		}
		at += time.Second << i
	}
	if at < DialTimeout-time.Second {
		t.Errorf("a further SYN leaves after %v, well within the dialer's %v", at, DialTimeout)
	}
}

func TestEphemeralPorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := EphemeralPort(rapid.Uint64().Draw(t, "random"))
		for _, p := range []uint16{p, NextEphemeral(p)} {
			if p < FirstEphemeral || p > LastEphemeral {
				t.Errorf("port %d is not ephemeral", p)
			}
		}
	})
	if got := NextEphemeral(LastEphemeral); got != FirstEphemeral {
		t.Errorf("after the last port comes %d", got)
	}
}
