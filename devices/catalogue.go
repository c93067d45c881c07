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

	"glasshouse/devices/strictyaml"
)

//go:embed catalogue/*.yaml
var catalogue embed.FS

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

// IsFile tells a path to a YAML file from the name of something built in.
func IsFile(nameOrPath string) bool {
	return strings.ContainsAny(nameOrPath, `/\`) || strings.HasSuffix(nameOrPath, ".yaml") || strings.HasSuffix(nameOrPath, ".yml")
}

// Resolve loads a device of the catalogue by its name, or a profile by the path of its file.
func Resolve(nameOrPath string) (*Profile, error) {
	if IsFile(nameOrPath) {
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
