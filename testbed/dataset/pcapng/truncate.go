package pcapng

import (
	"errors"
	"io"
	"os"
)

// Truncate cuts a capture after its last whole block, or after limit packets if it is not negative, and returns the
// number of packets left.
func Truncate(path string, link uint16, limit int64) (int64, error) {
	r, err := OpenLink(path, link)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for n := int64(0); ; n++ {
		_, err := r.Read()
		var cut *CutError
		switch {
		case err == nil && n == limit:
			return n, os.Truncate(path, r.start)
		case errors.Is(err, io.EOF):
			return n, nil
		case errors.As(err, &cut):
			return n, os.Truncate(path, cut.Offset)
		case err != nil:
			return n, err
		}
	}
}
