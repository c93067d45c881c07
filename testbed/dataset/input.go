package dataset

import (
	"fmt"
	"path/filepath"
)

// InputError is an error of what was asked for: it cannot be done with what is there, and nothing was touched.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

func (e *InputError) Unwrap() error { return e.Err }

// Inputf makes an InputError.
func Inputf(format string, args ...any) error { return &InputError{Err: fmt.Errorf(format, args...)} }

// SameSum compares a file's hash with its manifest's.
func SameSum(path, got, want string) error {
	if got != want {
		return Inputf("%s: sha256 differs from the manifest's: damaged, or changed since; glasshouse dataset verify says more", path)
	}
	return nil
}

// CheckFiles compares files of a home with the manifest's hashes. The error, an *InputError, names the first that differs.
func (d *Dataset) CheckFiles(home int, names ...string) error {
	for _, name := range names {
		path := filepath.Join(d.HomePath(home), name)
		sum, err := HashFile(path)
		if err != nil {
			return &InputError{Err: err}
		}
		if err := SameSum(path, sum, d.Manifest.Files[HomeDir(home)+"/"+name]); err != nil {
			return err
		}
	}
	return nil
}
