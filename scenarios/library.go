package scenarios

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

//go:embed library/*.yaml
var library embed.FS

const singlePrefix = "single-"

// Names returns the names of the built-in scenarios: the library, then single-DEVICE for each device of the catalogue, and
// single-DEVICE-MODE for each of its modes.
func Names() []string {
	entries, err := library.ReadDir("library")
	if err != nil { // the directory is part of the program
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return append(names, singles()...)
}

// singles are the names of the scenarios of one device alone. Modes are in the profiles, which are parsed once.
var singles = sync.OnceValue(func() []string {
	var names []string
	for _, d := range catalogue.Names() {
		names = append(names, singlePrefix+d)
		if p, err := catalogue.Load(d); err == nil { // an invalid profile is reported when it is loaded
			for _, mode := range p.Modes {
				names = append(names, singlePrefix+d+"-"+mode)
			}
		}
	}
	return names
})

// Text returns the YAML of a built-in scenario.
func Text(name string) ([]byte, error) {
	if src, err := library.ReadFile("library/" + name + ".yaml"); err == nil {
		return src, nil
	}
	if single, ok := strings.CutPrefix(name, singlePrefix); ok && slices.Contains(singles(), name) {
		return singleText(name, single)
	}
	return nil, fmt.Errorf("no scenario %q; %s", name, strictyaml.Suggest(name, Names(), "`glasshouse scenarios list` lists them"))
}

// Load returns a built-in scenario by its name, or reads one from a file.
func Load(nameOrFile string) (*Scenario, error) {
	if !strictyaml.IsFile(nameOrFile) {
		src, err := Text(nameOrFile)
		if err != nil {
			return nil, err
		}
		s, err := Parse(nameOrFile+".yaml", src)
		if err != nil {
			return nil, err
		}
		s.source = nameOrFile
		return s, nil
	}
	file, err := filepath.Abs(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("reading a scenario: %w", err)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading a scenario: %w", err)
	}
	s, err := Parse(nameOrFile, src)
	if err != nil {
		return nil, err
	}
	s.source = file
	return s, nil
}

// singleText returns the scenario of a single device, with a phone on the LAN if the mode needs one.
func singleText(name, single string) ([]byte, error) {
	device, mode := single, ""
	if !slices.Contains(catalogue.Names(), single) {
		i := strings.LastIndexByte(single, '-')
		device, mode = single[:i], single[i+1:]
	}
	p, err := catalogue.Load(device)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\nabout: 'One device alone, behind NAPT: %s'\npath: napt\n", name, strings.ReplaceAll(p.About, "'", "''"))
	fmt.Fprintf(&b, "devices:\n  - device: %s\n", device)
	peer := ""
	if mode != "" {
		fmt.Fprintf(&b, "    mode: %s\n", mode)
		peer, err = peerFor(p, mode)
		if err != nil {
			return nil, err
		}
	}
	if peer != "" {
		fmt.Fprintf(&b, "  - device: %s\n", peer)
	}
	b.WriteString("household: {density: 1}\n")
	return []byte(b.String()), nil
}

// peerFor returns the catalogue's first phone if a mode of a device needs one, else "".
func peerFor(p *profile.Profile, mode string) (string, error) {
	if !slices.ContainsFunc(p.Activities, func(r profile.Routine) bool { return r.Peer && r.Mode == mode }) {
		return "", nil
	}
	for _, name := range catalogue.Names() {
		phone, err := catalogue.Load(name)
		if err != nil {
			return "", err
		}
		if phone.Kind == profile.KindPhone {
			return name, nil
		}
	}
	return "", fmt.Errorf("mode %s of %s needs a phone, and the catalogue has none", mode, p.Device)
}
