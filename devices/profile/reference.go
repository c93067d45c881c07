package profile

import (
	"cmp"
	"iter"
	"regexp"

	"glasshouse/devices/strictyaml"
)

// Reference is one entry of a list of sources: a capture, a dataset, a paper or a specification, and what was read from it. The
// catalogue's own list is catalogue/sources.yaml; a profile may have a list of its own. A source text cites an entry by its key
// in brackets, as in "[homemole-table1] 99.7 % UDP".
type Reference struct {
	Key        string   `json:"key"`
	Of         string   `json:"of,omitempty"` // key of the entry that it is a part of, from which it takes what it leaves out
	Title      string   `json:"title"`
	Authors    string   `json:"authors,omitempty"`
	Year       int64    `json:"year,omitempty"`
	Address    string   `json:"address,omitempty"` // URL; of a paper its DOI as a URL
	Commit     string   `json:"commit,omitempty"`  // of the repository at Address
	File       string   `json:"file,omitempty"`    // path below Address, or on the author's disk
	Licence    string   `json:"licence,omitempty"`
	Measured   string   `json:"measured,omitempty"` // the device, the place, the time span
	Values     []string `json:"values,omitempty"`
	Method     string   `json:"method,omitempty"`     // how the values were obtained from the source
	Background bool     `json:"background,omitempty"` // for comparison: no number of a profile is from it
}

// citation is a key in brackets within a source text.
var citation = regexp.MustCompile(`\[([a-z][a-z0-9]*(?:-[a-z0-9]+)+)\]`)

// Cited returns the keys that a source text cites, in the text's order.
func Cited(source string) []string {
	var keys []string
	for _, m := range citation.FindAllStringSubmatch(source, -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// Origins yields the origin of every entry of the profile, in the order in which they are shown.
func (p *Profile) Origins() iter.Seq[*Origin] {
	return func(yield func(*Origin) bool) {
		more := true
		for i := 0; more && i < len(p.Services); i++ {
			more = yield(&p.Services[i].Origin)
		}
		for i := 0; more && i < len(p.Activities); i++ {
			more = yield(&p.Activities[i].Origin)
		}
		for i := 0; more && i < len(p.States); i++ {
			more = yield(&p.States[i].Origin)
		}
		for i := 0; more && i < len(p.Kits); i++ {
			more = yield(&p.Kits[i].Origin)
		}
	}
}

// complete takes what r leaves out from the entry that it is a part of. A file, what was measured and the values are its own.
func (r *Reference) complete(whole *Reference) {
	r.Title = cmp.Or(r.Title, whole.Title)
	r.Authors = cmp.Or(r.Authors, whole.Authors)
	r.Year = cmp.Or(r.Year, whole.Year)
	r.Licence = cmp.Or(r.Licence, whole.Licence)
	r.Method = cmp.Or(r.Method, whole.Method)
	if r.Address == "" { // a commit is one of the repository at the same address
		r.Address, r.Commit = whole.Address, cmp.Or(r.Commit, whole.Commit)
	}
}

// ParseReferences reads a list of sources, a YAML file with the one key "sources".
func ParseReferences(file string, src []byte) ([]Reference, error) {
	doc, root := strictyaml.Parse(file, src)
	if doc.Failed() {
		return nil, doc.Err()
	}
	refs := readReferences(root.Map("sources").Need("sources"))
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return refs, nil
}
