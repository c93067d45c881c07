package cli

import (
	"fmt"
	"io"
	"strings"

	"glasshouse/devices/profile"
	"glasshouse/testbed/plain"
)

// writeCitations prints the sources that a profile cites: key, title and address.
func writeCitations(w io.Writer, refs []profile.Reference) error {
	if len(refs) == 0 {
		return nil
	}
	b := plain.NewTable(w)
	fmt.Fprint(b, "\nsources:\n")
	for i := range refs {
		r := &refs[i]
		fmt.Fprintf(b, "  [%s] %s\n", r.Key, r.Title)
		var by []string
		if r.Authors != "" {
			by = append(by, r.Authors)
		}
		if r.Year > 0 {
			by = append(by, fmt.Sprint(r.Year))
		}
		for _, line := range []string{strings.Join(by, ", "), r.Measured, r.Address, at(r)} {
			if line != "" {
				fmt.Fprintf(b, "      %s\n", line)
			}
		}
	}
	return b.Flush()
}

// at names the file and the commit of a source.
func at(r *profile.Reference) string {
	if r.Commit == "" {
		return r.File
	}
	if r.File == "" {
		return "at " + r.Commit[:12]
	}
	return r.File + " at " + r.Commit[:12]
}
