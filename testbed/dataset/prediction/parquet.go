package prediction

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"

	"glasshouse/testbed/dataset/parquetfile"
)

// readParquetPredictions reads columns by name and takes any integer and floating-point types: pandas, Polars, DuckDB and
// Arrow differ in theirs.
func readParquetPredictions(path string, yield func(int64, Prediction) error) error {
	line := int64(0)
	var mine error // of a row, or of yield
	names, err := predictionColumns(path)
	if err == nil {
		err = parquetfile.ReadGroups(path, names, func(f *parquet.File) error {
			return predictionRows(f, names, func(p Prediction, err error) error {
				line++
				if err != nil {
					mine = &Error{path, line, err.Error()}
				} else {
					mine = yield(line, p)
				}
				return mine
			})
		})
	}
	if err == nil || mine != nil {
		return mine
	}
	return &Error{path, 0, "not a readable Parquet file: " + err.Error()}
}

// predictionColumns lists the columns of a file that are read.
func predictionColumns(path string) ([]string, error) {
	f, err := parquetfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := f.Names()
	names := slices.DeleteFunc(slices.Clone(all), isIndex)
	return names, checkColumns(all)
}

// predictionRows gives the rows of a row group, or what is wrong with one.
func predictionRows(f *parquet.File, names []string, yield func(Prediction, error) error) error {
	r := parquet.NewReader(f)
	defer r.Close()
	rows := make([]parquet.Row, 512)
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			if err := yield(predictionOf(row, names)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func predictionOf(row parquet.Row, names []string) (Prediction, error) {
	p := Prediction{Probability: -1}
	for _, v := range row {
		column := names[v.Column()]
		if v.IsNull() {
			if column == columnProbability {
				continue
			}
			return p, fmt.Errorf("no %s", column)
		}
		if err := p.setValue(column, v); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *Prediction) setValue(column string, v parquet.Value) error {
	if column == columnClass {
		if v.Kind() != parquet.ByteArray {
			return fmt.Errorf("class is a %s, not a text", v.Kind())
		}
		p.Class = string(v.ByteArray())
		return p.checkClass()
	}
	number, whole, err := numberOf(v)
	if err != nil {
		return fmt.Errorf("%s: %w", column, err)
	}
	switch column {
	case columnProbability:
		if math.IsNaN(number) { // a missing value of NumPy
			return nil
		}
		return p.setProbability(number)
	case columnFrame:
		p.Frame, err = whole()
	case columnHome:
		var n int64
		n, err = whole()
		p.Home = int(n)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", column, err)
	}
	return nil
}

// numberOf returns a number, and how to have it whole.
func numberOf(v parquet.Value) (float64, func() (int64, error), error) {
	var f float64
	switch v.Kind() {
	case parquet.Int32:
		n := int64(v.Int32())
		return float64(n), func() (int64, error) { return n, nil }, nil
	case parquet.Int64:
		n := v.Int64()
		return float64(n), func() (int64, error) { return n, nil }, nil
	case parquet.Float:
		f = float64(v.Float())
	case parquet.Double:
		f = v.Double()
	default:
		return 0, nil, fmt.Errorf("a %s, not a number", v.Kind())
	}
	return f, func() (int64, error) { return wholeNumber(f) }, nil
}
