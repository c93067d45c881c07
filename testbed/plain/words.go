// Package plain formats results as plain text: tables and paragraphs of at most 80 columns, counts with their nouns. The
// commands and the reports use it.
package plain

import (
	"fmt"
	"strings"
)

// Count is a number and its noun: "1 home", "2 homes". A noun whose plural is not made with an s is given both: "home's packet|homes' packets".
func Count[N ~int | ~int32 | ~int64](n N, noun string) string {
	one, many, two := strings.Cut(noun, "|")
	switch {
	case n == 1:
		return "1 " + one
	case two:
		return fmt.Sprintf("%d %s", n, many)
	case strings.HasSuffix(one, "s") || strings.HasSuffix(one, "ch"):
		return fmt.Sprintf("%d %ses", n, one)
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ey"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Paragraphs sets a text anew in lines of a width: neighbouring lines that begin at the margin are one paragraph; an indented line, as of a
// list, stays a line of its own, and is wrapped below its second column.
func Paragraphs(text string, width int) string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, hang("", "", paragraph, width)...)
			paragraph = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if line != "" && line[0] != ' ' {
			paragraph = append(paragraph, words(line)...)
			continue
		}
		end()
		out = append(out, item(line, width)...)
	}
	end()
	return strings.Join(out, "\n")
}

// item wraps a line of a list: "  name     what it is".
func item(line string, width int) []string {
	if len([]rune(line)) <= width {
		return []string{line}
	}
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body)
	at := indent
	if i := strings.Index(body, "  "); i >= 0 {
		at = indent + i + len(body[i:]) - len(strings.TrimLeft(body[i:], " "))
	}
	return hang(line[:at], strings.Repeat(" ", at), words(line[at:]), width)
}
