package devices

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"glasshouse/devices/strictyaml"
)

//go:embed catalogue/*.yaml
var catalogue embed.FS

const sourcesFile = "sources.yaml"

// Names returns the names of the catalogue's devices, sorted.
func Names() []string {
	entries, err := catalogue.ReadDir("catalogue")
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
	return catalogue.ReadFile(path.Join("catalogue", name+".yaml"))
}

// Load returns a device of the catalogue.
func Load(name string) (*Profile, error) {
	src, err := Source(name)
	if err != nil {
		return nil, err
	}
	return ParseProfile(name+".yaml", src)
}

// LoadFile reads a profile from a file.
func LoadFile(file string) (*Profile, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading a device profile: %w", err)
	}
	return ParseProfile(file, src)
}

// Resolve loads a device of the catalogue by its name, or a profile by the path of its file.
func Resolve(nameOrPath string) (*Profile, error) {
	if strictyaml.IsFile(nameOrPath) {
		return LoadFile(nameOrPath)
	}
	return Load(nameOrPath)
}

// CatalogueDigest is a SHA-256 over the profiles of all devices of the catalogue, in the order of their names, as hexadecimal digits.
func CatalogueDigest() (string, error) {
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

var readCatalogueReferences = sync.OnceValues(func() ([]Reference, error) {
	src, err := catalogue.ReadFile(path.Join("catalogue", sourcesFile))
	if err != nil {
		return nil, err
	}
	return ParseReferences(sourcesFile, src)
})

// References returns the catalogue's sources, in the order of the file.
func References() ([]Reference, error) {
	refs, err := readCatalogueReferences()
	return slices.Clone(refs), err
}

// Citations returns the sources that a profile's texts cite, each once, in the order in which they are first cited. A profile's
// own list goes before the catalogue's.
func Citations(p *Profile) ([]Reference, error) {
	var keys []string
	for o := range p.Origins() {
		keys = append(keys, Cited(o.Source)...)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	known, err := References()
	if err != nil {
		return nil, err
	}
	var cited []Reference
	for _, key := range keys {
		has := func(r Reference) bool { return r.Key == key }
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

// ParseProfile reads a device profile, which may cite the catalogue's sources beside its own.
func ParseProfile(file string, src []byte) (*Profile, error) {
	known, err := References()
	if err != nil { // the file is part of the program
		return nil, fmt.Errorf("the catalogue's sources: %w", err)
	}
	return readProfile(file, src, known)
}
