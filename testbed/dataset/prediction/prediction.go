// Package prediction reads the guesses of a model of anybody's, as CSV or Parquet: one class a frame, with its probability where there is one.
package prediction

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"glasshouse/testbed/dataset/parquetfile"
)

// Prediction is what somebody's model says of a WAN packet.
type Prediction struct {
	Home        int
	Frame       int64
	Class       string
	Probability float32 // of the class, 0 to 1; below zero where there is none
}

// Error says what is wrong with a file of predictions, and where: the line of a CSV file (the header is line 1), or
// the row of a Parquet file (the first is 1).
type Error struct {
	Path string
	Line int64 // 0 = the file as a whole
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.What)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.What)
}

// Columns of a file of predictions; others are an error, but for an index (isIndex).
const (
	columnHome        = "home"
	columnFrame       = "frame"
	columnClass       = "class"
	columnProbability = "probability"
)

const allowedColumns = "home, frame, class and, if wanted, probability"

// Read gives the predictions of a CSV or Parquet file (told apart by their first bytes), in the file's order, with
// their lines. Columns are home, frame, class and, optional, probability, in any order. What is not right is a
// *Error; so may be what yield returns.
func Read(path string, yield func(line int64, p Prediction) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, len(parquetfile.Magic))
	if _, err := io.ReadFull(f, magic); err == nil && string(magic) == parquetfile.Magic {
		return readParquetPredictions(path, yield)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return readCSVPredictions(path, f, yield)
}

// indexNames are the columns that data frames add when they are written: pandas' index, which has no name in CSV, "Unnamed: 0" where such a
// file was read and written again, and "__index_level_0__" in Parquet.
var indexNames = regexp.MustCompile(`^(|Unnamed: \d+|__index_level_\d+__)$`)

func isIndex(column string) bool { return indexNames.MatchString(column) }

func checkColumns(columns []string) error {
	for i, c := range columns {
		switch {
		case isIndex(c):
		case !slices.Contains([]string{columnHome, columnFrame, columnClass, columnProbability}, c):
			return fmt.Errorf("column %q is not known; there are %s", c, allowedColumns)
		case slices.Contains(columns[:i], c):
			return fmt.Errorf("column %q is there twice", c)
		}
	}
	for _, c := range []string{columnHome, columnFrame, columnClass} {
		if !slices.Contains(columns, c) {
			return fmt.Errorf("column %q is missing; there must be %s", c, allowedColumns)
		}
	}
	return nil
}

func (p *Prediction) set(column, value string) error {
	switch column {
	case columnHome:
		n, err := parseInteger(value)
		if err != nil {
			return fmt.Errorf("home %q is not a whole number", value)
		}
		p.Home = int(n)
	case columnFrame:
		n, err := parseInteger(value)
		if err != nil {
			return fmt.Errorf("frame %q is not a whole number", value)
		}
		p.Frame = n
	case columnClass:
		p.Class = value
		return p.checkClass()
	case columnProbability:
		if missing(value) {
			return nil
		}
		v, err := strconv.ParseFloat(value, 32)
		if err != nil {
			return fmt.Errorf("probability %q is not a number", value)
		}
		return p.setProbability(v)
	}
	return nil
}

// missing tells whether a field stands for no number, as pandas, R, Polars, DuckDB and NumPy write it.
func missing(value string) bool {
	switch strings.ToLower(value) {
	case "", "nan", "na", "<na>", "null", "none", `\n`:
		return true
	}
	return false
}

// parseInteger reads a whole number; data frames write integers as 1.0 where a column has or had a missing value.
func parseInteger(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil {
		return n, nil
	}
	f, e := strconv.ParseFloat(value, 64)
	if e != nil {
		return 0, err
	}
	return wholeNumber(f)
}

// mostWhole is 2^53: larger numbers are not exact as floating-point ones.
const mostWhole = 1 << 53

func wholeNumber(f float64) (int64, error) {
	if f != math.Trunc(f) || math.Abs(f) > mostWhole {
		return 0, fmt.Errorf("%v is not a whole number", f)
	}
	return int64(f), nil
}

func (p *Prediction) checkClass() error {
	if strings.TrimSpace(p.Class) == "" {
		return errors.New("no class; every packet needs a guess")
	}
	return nil
}

func (p *Prediction) setProbability(v float64) error {
	if math.IsNaN(v) || v < 0 || v > 1 {
		return fmt.Errorf("probability %v is not from 0 to 1", v)
	}
	p.Probability = float32(v)
	return nil
}
