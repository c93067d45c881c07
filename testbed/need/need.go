// Package need checks what a test needs of the machine: a program, an npm package, time. A test whose need is not met is skipped with the
// reason; under GLASSHOUSE_CI a skip is a failure, so that everything is tested there. Only tests import it.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// CI reports whether a skip is a failure: GLASSHOUSE_CI is set.
func CI() bool { return os.Getenv("GLASSHOUSE_CI") != "" }

// Skip skips a test that this machine cannot run, or fails it under CI.
func Skip(tb testing.TB, why string) {
	tb.Helper()
	if CI() {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// Long skips a proof that takes long, with the given time as a hint, unless GLASSHOUSE_LONG or GLASSHOUSE_CI asks for it.
func Long(tb testing.TB, takes string) {
	tb.Helper()
	if os.Getenv("GLASSHOUSE_LONG") == "" && !CI() {
		tb.Skip("takes " + takes + "; set GLASSHOUSE_LONG=1 to run it")
	}
}

// Longest reports whether the longest form of a proof was asked for, which CI does not run: GLASSHOUSE_LONG is set.
func Longest() bool { return os.Getenv("GLASSHOUSE_LONG") != "" }

// Tool returns the path of a program that the test uses as an oracle.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(tb, name+" is not installed")
	}
	return path
}

// NPM returns the environment in which node finds packages that npm installed globally, with the one named among them.
func NPM(tb testing.TB, pkg string) []string {
	tb.Helper()
	Tool(tb, "node")
	root, err := exec.Command(Tool(tb, "npm"), "root", "-g").Output()
	if err != nil {
		Skip(tb, "npm root -g: "+err.Error())
	}
	modules := strings.TrimSpace(string(root))
	if _, err := os.Stat(filepath.Join(modules, filepath.FromSlash(pkg))); err != nil {
		Skip(tb, "npm's "+pkg+" is not installed")
	}
	return append(os.Environ(), "NODE_PATH="+modules)
}
