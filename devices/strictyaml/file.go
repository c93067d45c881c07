package strictyaml

import "strings"

// IsFile tells a path to a YAML file from the name of something built in.
func IsFile(nameOrPath string) bool {
	return strings.ContainsAny(nameOrPath, `/\`) || strings.HasSuffix(nameOrPath, ".yaml") || strings.HasSuffix(nameOrPath, ".yml")
}
