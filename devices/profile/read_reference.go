package profile

import (
	"regexp"
	"slices"

	"glasshouse/devices/strictyaml"
)

const maxReferences = 1000 // of one list

var (
	addressShape = regexp.MustCompile(`^https?://[^\s/]+(/\S*)?$`)
	commitShape  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	keyShape     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)
)

// readReferences reads a list of sources. A part is complete when it is returned.
func readReferences(n strictyaml.Node) []Reference {
	var refs []Reference
	nodes := n.List()
	if len(nodes) > maxReferences {
		n.Errorf("", "%d sources: at most %d are allowed", len(nodes), maxReferences)
		return nil
	}
	for _, at := range nodes {
		r := readReference(at)
		if r.Key != "" && slices.ContainsFunc(refs, func(o Reference) bool { return o.Key == r.Key }) {
			at.Errorf("each key once", "a second source %q", r.Key)
		}
		refs = append(refs, r)
	}
	for i := range refs {
		completeReference(nodes[i], refs, i)
	}
	return refs
}

func readReference(n strictyaml.Node) (r Reference) {
	m := n.Map("key", "of", "title", "authors", "year", "address", "commit", "file", "licence", "measured", "values", "method", "background")
	r.Key = readKey(m.Need("key"))
	r.Of = readKey(m.Opt("of"))
	text := func(key string) string { return m.Opt(key).String(maxTextLength) }
	r.Title, r.Authors, r.File, r.Licence = text("title"), text("authors"), text("file"), text("licence")
	r.Measured, r.Method = text("measured"), text("method")
	if m.Has("year") {
		r.Year = m.Opt("year").Int(1900, 2200)
	}
	if r.Address = text("address"); r.Address != "" && !addressShape.MatchString(r.Address) {
		m.Opt("address").Errorf("a URL, as in https://doi.org/10.1145/3320269.3384732", "%q is no address", r.Address)
	}
	if r.Commit = text("commit"); r.Commit != "" && !commitShape.MatchString(r.Commit) {
		m.Opt("commit").Errorf("40 hexadecimal digits", "%q is no commit", r.Commit)
	}
	for _, v := range m.Opt("values").List() {
		r.Values = append(r.Values, v.String(maxTextLength))
	}
	r.Background = m.Opt("background").Bool()
	return r
}

// readKey reads the key of a source. It has a hyphen, so that brackets around one word in a text are only brackets.
func readKey(n strictyaml.Node) string {
	s := n.String(60)
	if s != "" && !keyShape.MatchString(s) {
		n.Errorf("two or more words of lower-case letters and digits, joined by hyphens, as in my-capture", "%q is no key of a source", s)
	}
	return s
}

// completeReference completes the part at i, and checks that one can find the source.
func completeReference(n strictyaml.Node, refs []Reference, i int) {
	r := &refs[i]
	if r.Of != "" {
		whole := slices.IndexFunc(refs, func(o Reference) bool { return o.Key == r.Of })
		switch {
		case whole < 0:
			n.Errorf(nearKeys(r.Of, refs), "part of an unknown source %q", r.Of)
			return
		case refs[whole].Of != "":
			n.Errorf("the key of a source that is no part itself", "part of %q, which is a part", r.Of)
			return
		}
		r.complete(&refs[whole])
	}
	if r.Key == "" {
		return
	}
	if r.Title == "" {
		n.Errorf("", "source %q has no title", r.Key)
	}
	if r.Address == "" && r.File == "" {
		n.Errorf("an address, a file, or both", "nobody can find source %q", r.Key)
	}
}

// nearKeys says which keys are allowed; of a long list, where it is and which key is near.
func nearKeys(key string, refs []Reference) string {
	keys := make([]string, len(refs))
	for i := range refs {
		keys[i] = refs[i].Key
	}
	if len(keys) <= 20 {
		return strictyaml.OneOf(key, keys)
	}
	s := "the keys of devices/catalogue/sources.yaml, or of the profile's own sources"
	if near := strictyaml.Nearest(key, keys); near != "" {
		s += "; did you mean " + near + "?"
	}
	return s
}

// cites checks that each key which a source text cites is known.
func (r *reader) cites(n strictyaml.Node, source string) {
	for _, key := range Cited(source) {
		has := func(o Reference) bool { return o.Key == key }
		if slices.ContainsFunc(r.p.Sources, has) {
			continue
		}
		if !slices.ContainsFunc(r.known, has) {
			n.Errorf(nearKeys(key, slices.Concat(r.known, r.p.Sources)), "unknown source [%s]", key)
		}
	}
}
