package strictyaml

import "regexp"

var names = regexp.MustCompile(nameShape)

// IsName tells whether a text is lower-case letters and digits in words joined by hyphens: a name that can go into labels,
// namespaces and paths.
func IsName(s string) bool { return names.MatchString(s) }
