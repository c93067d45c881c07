package results

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// ThisMachine describes the machine. What it does not tell (elsewhere than on Linux) is "unknown".
func ThisMachine() Machine {
	m := Machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Kernel: "unknown kernel", System: runtime.GOOS + "/" + runtime.GOARCH}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// Identify completes a build that does not say what it was built from: by its executable, whose bytes are the same where its source is.
func (b *Build) Identify() error {
	if b.Commit != "" && !strings.HasSuffix(b.Commit, "-dirty") {
		return nil
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	b.Program = hex.EncodeToString(h.Sum(nil))
	return nil
}
