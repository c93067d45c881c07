package plain

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Width is how many columns a line of text has at most: the default width of a terminal.
const Width = 80

const (
	gap     = 2  // spaces between columns
	whole   = 16 // a cell of so many characters is not broken into lines: a figure, an interval, a name
	longest = 32 // a word of more characters may be broken: a URL, a path
)

// Table is a writer with the input of text/tabwriter: cells end with a tab, lines with a newline, and neighbouring lines that have tabs are a
// table. Its output is at most Width columns wide. A table that is wider gets its long cells and its headings broken into lines; one that is
// wider still is printed in parts, one below the other, each with its first columns. Lines without a tab are text, and wrapped.
type Table struct {
	// Keys is how many columns at the left identify a row: each part of a table has them. NewTable sets one.
	Keys int

	w   io.Writer
	buf bytes.Buffer
}

// NewTable returns a table that is written to w by Flush.
func NewTable(w io.Writer) *Table { return &Table{w: w, Keys: 1} }

// Write keeps what is to be laid out; it never fails.
func (t *Table) Write(b []byte) (int, error) { return t.buf.Write(b) }

// Flush lays out what was written, and writes it.
func (t *Table) Flush() error {
	var out []string
	var rows [][]string
	end := func() {
		if len(rows) > 0 {
			out = append(out, layOut(rows, t.Keys)...)
			rows = nil
		}
	}
	text := t.buf.String()
	t.buf.Reset()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, "\t") {
			rows = append(rows, strings.Split(line, "\t"))
			continue
		}
		end()
		out = append(out, Wrap(line, Width)...)
	}
	end()
	if len(out) == 0 {
		return nil
	}
	_, err := io.WriteString(t.w, strings.Join(out, "\n")+"\n")
	return err
}

// layOut returns the lines of a table whose first row may be its heading.
func layOut(rows [][]string, keys int) []string {
	rows = full(rows)
	n := 0
	for _, r := range rows {
		n = max(n, len(r))
	}
	least := make([]int, n)
	for i := range least {
		least[i] = narrowest(rows, i)
	}
	keys = min(keys, n)
	var out []string
	for from := keys; ; {
		cols, used := make([]int, 0, n), -gap
		for i := range keys {
			cols, used = append(cols, i), used+gap+least[i]
		}
		for ; from < n && (used+gap+least[from] <= Width || len(cols) == keys); from++ {
			cols, used = append(cols, from), used+gap+least[from]
		}
		if len(out) > 0 {
			out = append(out, "")
		}
		out = append(out, part(rows, cols, least)...)
		if from >= n {
			return out
		}
	}
}

// full drops columns that no row has anything in, and the empty cells at the end of a row.
func full(rows [][]string) [][]string {
	var empty []bool
	for _, r := range rows {
		for i, c := range r {
			if i == len(empty) {
				empty = append(empty, true)
			}
			empty[i] = empty[i] && strings.TrimSpace(c) == ""
		}
	}
	out := make([][]string, len(rows))
	for k, r := range rows {
		for i, c := range r {
			if !empty[i] {
				out[k] = append(out[k], strings.TrimRight(c, " "))
			}
		}
		for n := len(out[k]); n > 0 && out[k][n-1] == ""; n-- {
			out[k] = out[k][:n-1]
		}
	}
	return out
}

// spans reports whether a cell is a remark that goes on over the columns to its right: the last of a row, wider than its column has to be.
func spans(rows [][]string, row, col int) bool {
	return row > 0 && col == len(rows[row])-1 && col < len(rows[0])-1 && col > 0 && utf8.RuneCountInString(rows[row][col]) > whole
}

// narrowest is how wide a column must be.
func narrowest(rows [][]string, col int) int {
	width := 0
	for k, r := range rows {
		if col >= len(r) || spans(rows, k, col) {
			continue
		}
		c := r[col]
		if n := utf8.RuneCountInString(c); k > 0 && n <= whole {
			width = max(width, n)
			continue
		}
		indent := len(c) - len(strings.TrimLeft(c, " "))
		for _, word := range words(c) {
			width = max(width, indent+min(utf8.RuneCountInString(word), longest))
		}
	}
	return width
}

// part lays out some of the columns.
func part(rows [][]string, cols, least []int) []string {
	wide, wish := make([]int, len(cols)), make([]int, len(cols))
	left := Width - gap*(len(cols)-1)
	for i, c := range cols {
		wide[i] = least[c]
		left -= least[c]
		for k, r := range rows {
			if c < len(r) && !spans(rows, k, c) {
				wish[i] = max(wish[i], utf8.RuneCountInString(r[c]))
			}
		}
	}
	for left > 0 { // the narrowest of those that need more gets the next column
		next := -1
		for i := range cols {
			if wide[i] < wish[i] && (next < 0 || wide[i] < wide[next]) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		wide[next]++
		left--
	}
	var out []string
	for k := range rows {
		out = append(out, line(rows, k, cols, wide)...)
	}
	return out
}

// line lays out a row, which may take several lines.
func line(rows [][]string, row int, cols, wide []int) []string {
	r := rows[row]
	var lines []string
	at := 0
	for i, c := range cols {
		if c < len(r) {
			width := wide[i]
			if spans(rows, row, c) {
				width = Width - at
			}
			for k, text := range Wrap(r[c], width) {
				if k == len(lines) {
					lines = append(lines, "")
				}
				if text != "" {
					lines[k] += strings.Repeat(" ", max(0, at-utf8.RuneCountInString(lines[k]))) + text
				}
			}
		}
		at += wide[i] + gap
	}
	if len(lines) == 0 {
		return []string{""}
	}
	return lines
}

// Wrap breaks a line between words; what follows the first line is indented as it is, and a line that is begun with a dash two more.
// Words that are longer than a line are broken.
func Wrap(text string, width int) []string {
	if utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	body := strings.TrimLeft(text, " ")
	indent := text[:len(text)-len(body)]
	if strings.HasPrefix(body, "- ") {
		return hang(indent, indent+"  ", words(body), width)
	}
	return hang(indent, indent, words(body), width)
}

// hang sets words in lines, of which the first has another indent than the rest.
func hang(first, rest string, words []string, width int) []string {
	if len(rest) > width/2 {
		first, rest = "", ""
	}
	var out []string
	line, begun := first, false
	for _, w := range words {
		switch n := utf8.RuneCountInString(w); {
		case begun && utf8.RuneCountInString(line)+1+n <= width:
			line += " " + w
			continue
		case begun:
			out = append(out, line)
			line = rest
		}
		for utf8.RuneCountInString(line+w) > width {
			k := breakAt(w, width-utf8.RuneCountInString(line))
			out = append(out, line+w[:k])
			line, w = rest, w[k:]
		}
		line += w
		begun = true
	}
	return append(out, line)
}

// breakAt is how many bytes of a word stay on a line that has room for so many characters: up to a mark behind which a path or a name may be
// broken, or all that fit.
func breakAt(word string, room int) int {
	bytes, mark := 0, 0
	for _, r := range word {
		if room--; room < 0 {
			break
		}
		bytes += utf8.RuneLen(r)
		if strings.ContainsRune("/-_.,=&", r) {
			mark = bytes
		}
	}
	if mark > 0 {
		return mark
	}
	return max(bytes, 1)
}

// units stay with the number before them.
var units = []string{"%", "s", "ms", "µs", "min", "h", "B", "kB", "MB", "hours"}

// words splits at spaces; a number and its unit are one.
func words(s string) []string {
	all := strings.Fields(s)
	var out []string
	for _, w := range all {
		if n := len(out); n > 0 && slices.Contains(units, strings.TrimRight(w, ".,;:)")) && strings.ContainsAny(out[n-1][len(out[n-1])-1:], "0123456789") {
			out[n-1] += " " + w
			continue
		}
		out = append(out, w)
	}
	return out
}
