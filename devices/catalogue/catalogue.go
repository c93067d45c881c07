// Package catalogue has the built-in devices, one YAML file each, with sources.yaml, which says where their numbers come from. It finds a
// device by name, or reads a profile of the user's own by path, and resolves what a profile cites. Safe for concurrent use.
package catalogue

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

//go:embed *.yaml
var files embed.FS

const sourcesFile = "sources.yaml"

// Names returns the names of the catalogue's devices, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil { // the directory is part of the program
		panic(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Name() != sourcesFile {
			names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
		}
	}
	slices.Sort(names)
	return names
}

// Source returns the YAML text of a device of the catalogue.
func Source(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no device %q in the catalogue; %s", name, strictyaml.Suggest(name, Names(), "`glasshouse devices list` lists them"))
	}
	return files.ReadFile(name + ".yaml")
}

// Load returns a device of the catalogue.
func Load(name string) (*profile.Profile, error) {
	src, err := Source(name)
	if err != nil {
		return nil, err
	}
	return Parse(name+".yaml", src)
}

// LoadFile reads a profile from a file.
func LoadFile(file string) (*profile.Profile, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading a device profile: %w", err)
	}
	return Parse(file, src)
}

// Resolve loads a device of the catalogue by its name, or a profile by the path of its file.
func Resolve(nameOrPath string) (*profile.Profile, error) {
	if strictyaml.IsFile(nameOrPath) {
		return LoadFile(nameOrPath)
	}
	return Load(nameOrPath)
}

// Digest is a SHA-256 over the profiles of all devices of the catalogue, in the order of their names, as hexadecimal digits.
func Digest() (string, error) {
	h := sha256.New()
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			return "", err
		}
		d := p.Digest()
		h.Write(d[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

var readReferences = sync.OnceValues(func() ([]profile.Reference, error) {
	src, err := files.ReadFile(sourcesFile)
	if err != nil {
		return nil, err
	}
	return profile.ParseReferences(sourcesFile, src)
})

// References returns the catalogue's sources, in the order of the file.
func References() ([]profile.Reference, error) {
	refs, err := readReferences()
	return slices.Clone(refs), err
}

// Citations returns the sources that a profile's texts cite, each once, in the order in which they are first cited. A profile's
// own list goes before the catalogue's.
func Citations(p *profile.Profile) ([]profile.Reference, error) {
	var keys []string
	for o := range p.Origins() {
		keys = append(keys, profile.Cited(o.Source)...)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	known, err := References()
	if err != nil {
		return nil, err
	}
	var cited []profile.Reference
	for _, key := range keys {
		has := func(r profile.Reference) bool { return r.Key == key }
		if slices.ContainsFunc(cited, has) {
			continue
		}
		if i := slices.IndexFunc(p.Sources, has); i >= 0 {
			cited = append(cited, p.Sources[i])
		} else if i := slices.IndexFunc(known, has); i >= 0 {
			cited = append(cited, known[i])
		}
	}
	return cited, nil
}

// Parse reads a device profile, which may cite the catalogue's sources beside its own.
func Parse(file string, src []byte) (*profile.Profile, error) {
	known, err := References()
	if err != nil { // the file is part of the program
		return nil, fmt.Errorf("the catalogue's sources: %w", err)
	}
	return profile.Parse(file, src, known)
}
