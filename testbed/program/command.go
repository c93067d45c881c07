// Package program runs a model of the user's, in any language: a command that is given a file of packets with classes to train on,
// one of packets without, and the name of a file for its predictions.
//
//	COMMAND… LEARN.csv UNSEEN.csv GUESSES.csv
//
// The command is not run by a shell: only words and quotes are understood. It runs in the directory of its caller, in a process group of
// its own, which is ended with it. The contents of the files are the caller's. Called by sweeps, from one goroutine at a time.
package program

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mattn/go-shellwords"

	"glasshouse/testbed/dataset"
)

// Command is a program with its first arguments.
type Command struct {
	Name string   // in tables
	Args []string // program and arguments
}

// ErrCommand means that a command cannot be run.
var ErrCommand = errors.New("cannot be run")

// maxName is the maximum length of a name, which has a column in tables.
const maxName = 40

// Parse reads COMMAND or NAME=COMMAND. The default name is that of the first argument that is a file, or the program's.
func Parse(text string) (*Command, error) {
	c := &Command{}
	if name, rest, ok := strings.Cut(text, "="); ok && isName(name) {
		c.Name, text = name, rest
	}
	p := shellwords.NewParser()
	p.ParseEnv, p.ParseBacktick = false, false
	words, err := p.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q %w: %w", text, ErrCommand, err)
	case p.Position >= 0: // where it has stopped
		return nil, fmt.Errorf("%q %w: it is not run by a shell; quote ; & | < >", text, ErrCommand)
	case len(words) == 0:
		return nil, fmt.Errorf("%q %w: it names no program", text, ErrCommand)
	}
	c.Args = words
	if _, err := exec.LookPath(words[0]); err != nil {
		return nil, fmt.Errorf("%q %w: %w", text, ErrCommand, err)
	}
	if c.Name == "" {
		c.Name = filepath.Base(words[0])
		for _, a := range words[1:] {
			if isFile(a) {
				c.Name = filepath.Base(a)
				break
			}
		}
		if !isName(c.Name) {
			return nil, fmt.Errorf("invalid name %q; allowed: NAME=COMMAND with up to %d letters, digits, dots, - and _", c.Name, maxName)
		}
	}
	return c, nil
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

func (c *Command) String() string { return strings.Join(c.Args, " ") }

// File is a file named by a command.
type File struct {
	Path   string `json:"path"` // as in the command
	SHA256 string `json:"sha256"`
}

// Files lists the program and the arguments that are files, with their digests. Files that these read or import are not included.
func (c *Command) Files() ([]File, error) {
	var out []File
	for i, a := range c.Args {
		path := a
		if i == 0 {
			var err error
			if path, err = exec.LookPath(a); err != nil {
				return nil, fmt.Errorf("%q %w: %w", c, ErrCommand, err)
			}
		}
		if !isFile(path) {
			continue
		}
		sum, err := dataset.HashFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, File{a, sum})
	}
	return out, nil
}

// Key identifies a command by its words and the contents of the files that it names.
func (c *Command) Key() (string, error) {
	files, err := c.Files()
	if err != nil {
		return "", err
	}
	b, err := json.Marshal([]any{c.Args, files})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
