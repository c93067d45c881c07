package mix

import (
	"bytes"
	"strconv"
)

// records follows TLS records through a stream.
type records struct {
	head []byte // of the current record, up to five bytes
	left int    // bytes of its body
	dead bool   // the rest of the stream is not TLS
}

const recordHead = 5

// isRecord reports whether bytes can be a record header.
func isRecord(b []byte) bool { return len(b) >= 2 && b[0] >= 20 && b[0] <= 24 && b[1] == 3 }

// take reports whether a record ends in these bytes.
func (r *records) take(b []byte) (ends bool) {
	for len(b) > 0 && !r.dead {
		if r.left == 0 {
			n := min(recordHead-len(r.head), len(b))
			r.head = append(r.head, b[:n]...)
			b = b[n:]
			if len(r.head) < recordHead {
				return ends
			}
			if !isRecord(r.head) {
				r.dead = true
				return ends
			}
			r.left = int(r.head[3])<<8 | int(r.head[4])
			if r.left == 0 {
				r.head, ends = r.head[:0], true
				continue
			}
		}
		n := min(r.left, len(b))
		r.left -= n
		b = b[n:]
		if r.left == 0 {
			r.head, ends = r.head[:0], true
		}
	}
	return ends
}

// messages follows HTTP/1.1 messages through a stream: bodies of a known length, chunked ones, and those that end with the
// connection.
type messages struct {
	head    []byte
	left    int64 // of the body, or of the chunk with its line end
	chunked bool
	endless bool
}

// mostHead is the maximum size of a buffered header.
const mostHead = 64 << 10

// take reports whether a message ends in these bytes.
func (m *messages) take(b []byte, request bool) (ends bool) {
	for len(b) > 0 {
		switch {
		case m.endless:
			return true
		case m.left > 0:
			n := min(m.left, int64(len(b)))
			m.left -= n
			b = b[n:]
			if m.left == 0 && !m.chunked {
				ends = true
			}
		case m.chunked:
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				m.head = append(m.head, b...)
				return ends
			}
			line := append(m.head, b[:i]...)
			b, m.head = b[i+1:], m.head[:0]
			n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 63)
			if err != nil || n == 0 { // the last chunk, before the final empty line
				m.chunked = false
				m.left = int64(min(len(b), 2))
				ends = err == nil
				continue
			}
			m.left = n + 2
		default:
			before := len(m.head)
			m.head = append(m.head, b...)
			i := bytes.Index(m.head, []byte("\r\n\r\n"))
			if i < 0 {
				if len(m.head) > mostHead {
					m.endless = true
				}
				return ends
			}
			b = b[i+4-before:]
			m.begin(m.head[:i+2], request)
			m.head = m.head[:0]
			if m.left == 0 && !m.chunked {
				ends = true
			}
		}
	}
	return ends
}

// begin reads a header to determine the kind of body.
func (m *messages) begin(head []byte, request bool) {
	m.left, m.chunked = 0, false
	length := false
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch string(bytes.ToLower(name)) {
		case "content-length":
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 63); err == nil {
				m.left, length = n, true
			}
		case "transfer-encoding":
			m.chunked = bytes.Contains(bytes.ToLower(value), []byte("chunked"))
		}
	}
	m.endless = !request && !length && !m.chunked && !bytes.HasPrefix(head, []byte("HTTP/1.1 204")) && !bytes.HasPrefix(head, []byte("HTTP/1.1 304"))
}
