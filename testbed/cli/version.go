package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/testbed/buildinfo"
)

// versionInfo is what is printed of a build.
type versionInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"` // of the working tree, with "-dirty" if that had changes; "" where the build does not record it
	Go        string `json:"go"`
	Catalogue string `json:"catalogue"` // digest of the built-in device profiles
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print version, commit, Go version and catalogue digest", Args: cobra.NoArgs,
		Example: "  glasshouse version\n  glasshouse version --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := version()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), v)
			}
			commit := v.Commit
			if commit == "" {
				commit = "not in this build"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "glasshouse %s\ncommit     %s\ngo         %s\ncatalogue  %s\n", v.Version, commit, v.Go, v.Catalogue)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func version() (*versionInfo, error) {
	v := &versionInfo{Version: buildinfo.Version(), Go: runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok {
		v.Commit = commit(b.Settings)
	}
	var err error
	v.Catalogue, err = catalogue.Digest()
	return v, err
}

// commit returns the commit of the working tree, as recorded in the build.
func commit(settings []debug.BuildSetting) string {
	revision, dirty := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
