package cli

import (
	"strings"
	"testing"
)

// A fix fits 80 columns, and what is to be typed can be copied: a command ends a line only with "&&".
func TestFixLines(t *testing.T) {
	for fix, want := range map[string][]string{
		"sudo chmod 666 /dev/net/tun   (its mode is 0600)": {"sudo chmod 666 /dev/net/tun", "(its mode is 0600)"},
		"sudo rm /dev/net/tun && sudo modprobe tun && sudo mknod -m 666 /dev/net/tun c 10 200   (no TUN device)": {
			"sudo rm /dev/net/tun && sudo modprobe tun &&", "sudo mknod -m 666 /dev/net/tun c 10 200", "(no TUN device)",
		},
		strings.Repeat("word ", 30) + "end": {strings.Repeat("word ", 14) + "word", strings.Repeat("word ", 14) + "word", "end"},
	} {
		got := fixLines(fix)
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s\nbecomes %q\nwant    %q", fix, got, want)
		}
		for _, line := range got {
			if len(line) > fixWidth {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
	}
}
