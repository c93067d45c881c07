package prediction

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readCSVPredictions reads RFC 4180 with a header line, as data frames write it: lines end with LF or CRLF, blank lines are passed over, a
// byte order mark is allowed.
func readCSVPredictions(path string, f io.Reader, yield func(int64, Prediction) error) error {
	lines := &lineLimit{r: f}
	in := bufio.NewReader(lines)
	if bom, err := in.Peek(len(byteOrderMark)); err == nil && string(bom) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark))
	}
	r := csv.NewReader(in)
	r.ReuseRecord = true
	columns, err := r.Read()
	if errors.Is(err, io.EOF) {
		return &Error{path, 0, "empty; its first line names the columns: " + allowedColumns}
	}
	if err != nil {
		return csvError(path, err)
	}
	columns = append([]string(nil), columns...)
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	line, _ := r.FieldPos(0)
	if err := checkColumns(columns); err != nil {
		return &Error{path, int64(line), err.Error()}
	}
	for {
		fields, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := r.FieldPos(0)
			return &Error{path, int64(line), fmt.Sprintf("%d fields, not %d", len(fields), len(columns))}
		case err != nil:
			return csvError(path, err)
		}
		line, _ := r.FieldPos(0)
		p := Prediction{Probability: -1}
		for i, c := range columns {
			if err := p.set(c, strings.TrimSpace(fields[i])); err != nil {
				return &Error{path, int64(line), err.Error()}
			}
		}
		if err := yield(int64(line), p); err != nil {
			return err
		}
	}
}

const (
	byteOrderMark = "\ufeff"
	maxLine       = 1 << 16 // bytes of a line of a CSV file
)

// lineLimit fails when a line is longer than maxLine: encoding/csv has no limit of its own. Quoted fields may span lines; what is
// between quotes counts as one line, so that a quote that is never closed is not read to the end of a large file.
type lineLimit struct {
	r      io.Reader
	size   int
	quoted bool
	line   int
}

func (l *lineLimit) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	for _, c := range b[:n] {
		switch {
		case c == '"':
			l.quoted = !l.quoted
		case c == '\n' && !l.quoted:
			l.size = -1
			l.line++
		}
		if l.size++; l.size > maxLine {
			return 0, &longLine{l.line + 1}
		}
	}
	return n, err
}

type longLine struct{ line int }

func (*longLine) Error() string { return fmt.Sprintf("a line of more than %d bytes", maxLine) }

// csvError says what encoding/csv found, and on which line.
func csvError(path string, err error) error {
	var parse *csv.ParseError
	var long *longLine
	switch {
	case errors.As(err, &long):
		return &Error{path, int64(long.line), long.Error()}
	case errors.As(err, &parse):
		return &Error{path, int64(parse.Line), parse.Err.Error()}
	}
	return err
}
