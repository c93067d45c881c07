// Package parquetfile reads Parquet files whose claims are not trusted, at a bounded cost, and writes records by the library. What a
// dataset's files hold is for package dataset to say; the fast writer of packets is in package write.
package parquetfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/parquet-go/parquet-go"
)

// GroupRows is how many rows a row group has at most: it bounds what a writer holds in memory.
const GroupRows = 1 << 18

// batchRows is how many rows the library is handed at once.
const batchRows = 4096

// Writer writes records in batches.
type Writer[T any] struct {
	f     *os.File
	w     *parquet.GenericWriter[T]
	batch []T
	group int
}

// Create creates a file, over one that is there, whose columns are the fields of T.
func Create[T any](path string) (*Writer[T], error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	w := parquet.NewGenericWriter[T](f, parquet.CreatedBy("glasshouse", "1", ""))
	return &Writer[T]{f: f, w: w, batch: make([]T, 0, batchRows)}, nil
}

// Add appends a record.
func (w *Writer[T]) Add(r T) error {
	w.batch = append(w.batch, r)
	if len(w.batch) == batchRows {
		return w.flush()
	}
	return nil
}

func (w *Writer[T]) flush() error {
	if _, err := w.w.Write(w.batch); err != nil {
		return err
	}
	w.group += len(w.batch)
	w.batch = w.batch[:0]
	if w.group >= GroupRows {
		w.group = 0
		return w.w.Flush()
	}
	return nil
}

// Close writes what is left and closes the file.
func (w *Writer[T]) Close() error {
	return errors.Join(w.flush(), w.w.Close(), w.f.Close())
}

// Read gives the rows of a file in order.
func Read[T any](path string, yield func(*T) error) (err error) {
	var names []string
	for _, c := range parquet.SchemaOf(new(T)).Columns() {
		names = append(names, c[0])
	}
	batch := make([]T, batchRows)
	return ReadGroups(path, names, func(f *parquet.File) error {
		r := parquet.NewGenericReader[T](f)
		defer r.Close()
		for {
			n, err := r.Read(batch)
			for i := range batch[:n] {
				if err := yield(&batch[i]); err != nil {
					return &yieldError{err}
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			clear(batch)
		}
	})
}

// yieldError carries an error of who reads the rows past the wrapping of the file's own.
type yieldError struct{ error }

// ReadGroups gives the named columns of a file, row group by row group. What is wrong with the file names its path.
func ReadGroups(path string, names []string, yield func(*parquet.File) error) (err error) {
	defer func() {
		var mine *yieldError
		switch p := recover(); { // the library panics on some damaged files
		case p != nil:
			err = fmt.Errorf("%s: not a readable Parquet file: %v", path, p)
		case errors.As(err, &mine):
			err = mine.error
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission): // those name it
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	p, err := Open(path)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.groups(names, yield)
}
