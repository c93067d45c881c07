// Package buildinfo says which Glasshouse this is and what it is built with, for manifests and reports.
package buildinfo

import (
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"glasshouse/testbed/dataset"
)

// Versions are those of Glasshouse and of what it is built with. Glasshouse's is the module's, which names the commit where go build
// found a repository; where it found none it is "build" and the beginning of the executable's SHA-256.
func Versions() map[string]string { return maps.Clone(versions()) }

// Version is Glasshouse's.
func Version() string { return versions()[versionKey] }

const versionKey = "glasshouse"

var versions = sync.OnceValue(func() map[string]string {
	v := map[string]string{"go": runtime.Version(), versionKey: "unknown"}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v[versionKey] = b.Main.Version
	if b.Main.Version == "" || b.Main.Version == "(devel)" {
		v[versionKey] = "build " + executable()
	}
	for _, d := range b.Deps {
		switch d.Path {
		case "golang.zx2c4.com/wireguard", "github.com/songgao/water", "github.com/google/gopacket", "github.com/parquet-go/parquet-go":
			v[d.Path] = d.Version
		}
	}
	return v
})

// executable is the beginning of the SHA-256 of the program that runs.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	sum, err := dataset.HashFile(path)
	if err != nil {
		return "unknown"
	}
	return sum[:16]
}
