package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// partSuffix marks a file, or a home's directory, that is being written.
const partSuffix = ".part"

// WriteFile writes a file that is whole or not there, whenever the program or the machine stops: fill writes to path.part, which reaches
// the disk before it gets its name. Where fill fails nothing is left, and a file that was there before stays. It is not for two writers
// of one path at once.
func WriteFile(path string, fill func(io.Writer) error) error {
	part := path + partSuffix
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = fill(w); err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// writeBytes is WriteFile of bytes.
func writeBytes(path string, b []byte) error {
	return WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
