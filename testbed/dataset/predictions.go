package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Prediction is what somebody's model says of a WAN packet.
type Prediction struct {
	Home        int
	Frame       int64
	Class       string
	Probability float32 // of the class, 0 to 1; below zero where there is none
}

// PredictionError says what is wrong with a file of predictions, and where: the line of a CSV file (the header is line 1), or
// the row of a Parquet file (the first is 1).
type PredictionError struct {
	Path string
	Line int64 // 0 = the file as a whole
	What string
}

func (e *PredictionError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.What)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.What)
}

// Columns of a file of predictions; others are an error.
const (
	columnHome        = "home"
	columnFrame       = "frame"
	columnClass       = "class"
	columnProbability = "probability"
)

const allowedColumns = "home, frame, class and, if wanted, probability"

// ReadPredictions gives the predictions of a CSV or Parquet file (told apart by their first bytes), in the file's order, with
// their lines. Columns are home, frame, class and, optional, probability, in any order. What is not right is a
// *PredictionError; so may be what yield returns.
func ReadPredictions(path string, yield func(line int64, p Prediction) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err == nil && string(magic) == "PAR1" {
		return readParquetPredictions(path, yield)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return readCSVPredictions(path, f, yield)
}

// maxLine bounds a line of a CSV file, bytes.
const maxLine = 1 << 16

func readCSVPredictions(path string, f io.Reader, yield func(int64, Prediction) error) error {
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, 4096), maxLine)
	line := int64(0)
	bad := func(format string, args ...any) error {
		return &PredictionError{path, line, fmt.Sprintf(format, args...)}
	}
	var columns []string
	for in.Scan() {
		line++
		text := strings.TrimSuffix(in.Text(), "\r")
		if line == 1 {
			columns = strings.Split(strings.TrimPrefix(text, "\ufeff"), ",")
			for i := range columns {
				columns[i] = unquote(columns[i])
			}
			if err := checkColumns(columns); err != nil {
				return bad("%v", err)
			}
			continue
		}
		fields := strings.Split(text, ",")
		if len(fields) != len(columns) {
			return bad("%d fields, not %d", len(fields), len(columns))
		}
		p := Prediction{Probability: -1}
		for i, c := range columns {
			if err := p.set(c, unquote(fields[i])); err != nil {
				return bad("%v", err)
			}
		}
		if err := yield(line, p); err != nil {
			return err
		}
	}
	line++
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return bad("a line of more than %d bytes", maxLine)
	case err != nil:
		return err
	case columns == nil:
		return &PredictionError{path, 0, "empty; its first line names the columns: " + allowedColumns}
	}
	return nil
}

// unquote takes the quotes off that some writers put around every field; no name of ours holds a quote or comma.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func checkColumns(columns []string) error {
	for i, c := range columns {
		switch {
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
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("home %q is not a number", value)
		}
		p.Home = n
	case columnFrame:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("frame %q is not a number", value)
		}
		p.Frame = n
	case columnClass:
		p.Class = value
		return p.checkClass()
	case columnProbability:
		if value == "" {
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

// readParquetPredictions reads columns by name and takes any integer and floating-point types: pandas, Polars, DuckDB and
// Arrow differ in theirs.
func readParquetPredictions(path string, yield func(int64, Prediction) error) (err error) {
	line := int64(0)
	bad := func(format string, args ...any) error {
		return &PredictionError{path, line, fmt.Sprintf(format, args...)}
	}
	defer func() { // the library panics on some damaged files
		if p := recover(); p != nil {
			err = bad("not a readable Parquet file: %v", p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := parquetSize(f)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, size)
	if err != nil {
		return bad("%v", err)
	}
	var columns []string
	for _, c := range file.Schema().Columns() {
		columns = append(columns, strings.Join(c, "."))
	}
	columns = slices.DeleteFunc(columns, func(c string) bool { return c == "__index_level_0__" }) // pandas' own
	if err := checkColumns(columns); err != nil {
		return bad("%v", err)
	}
	at := make(map[int]string)
	for i, c := range file.Schema().Columns() {
		at[i] = strings.Join(c, ".")
	}
	r := parquet.NewReader(file)
	defer r.Close()
	rows := make([]parquet.Row, 512)
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			line++
			p, e := predictionOf(row, at)
			if e != nil {
				return bad("%v", e)
			}
			if e := yield(line, p); e != nil {
				return e
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bad("%v", err)
		}
	}
}

func predictionOf(row parquet.Row, at map[int]string) (Prediction, error) {
	p := Prediction{Probability: -1}
	for _, v := range row {
		column := at[v.Column()]
		if v.IsNull() {
			if column == columnProbability || column == "__index_level_0__" {
				continue
			}
			return p, fmt.Errorf("no %s", column)
		}
		var err error
		switch column {
		case columnHome, columnFrame:
			var n int64
			if n, err = integer(v); err != nil {
				return p, fmt.Errorf("%s: %w", column, err)
			}
			if column == columnFrame {
				p.Frame = n
			} else {
				p.Home = int(n)
			}
		case columnClass:
			if v.Kind() != parquet.ByteArray {
				return p, fmt.Errorf("class is a %s, not a text", v.Kind())
			}
			p.Class = string(v.ByteArray())
			err = p.checkClass()
		case columnProbability:
			switch v.Kind() {
			case parquet.Float:
				err = p.setProbability(float64(v.Float()))
			case parquet.Double:
				err = p.setProbability(v.Double())
			default:
				err = fmt.Errorf("probability is a %s, not a number with a fraction", v.Kind())
			}
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func integer(v parquet.Value) (int64, error) {
	switch v.Kind() {
	case parquet.Int32:
		return int64(v.Int32()), nil
	case parquet.Int64:
		return v.Int64(), nil
	default:
		return 0, fmt.Errorf("a %s, not an integer", v.Kind())
	}
}
