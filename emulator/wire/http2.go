package wire

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// HTTP2Write is one write of an end of an HTTP/2 connection: so many bytes of frames. Over TLS it is as many records as it
// takes, of MaxPlaintext bytes each but the last.
type HTTP2Write struct {
	Up    bool
	Size  int
	After int  // it is made once so many of the other end's writes of this exchange have come
	Reply bool // it begins the response: the server's program takes its time before
}

// Sizes of frames and of what opens a connection, bytes (RFC 9113, sections 3.4 and 6).
const (
	http2Frame    = 9
	http2Window   = http2Frame + 4
	http2Preface  = 24
	http2Settings = 6 // each setting

	http2ClientSettings = 4
	http2ServerSettings = 5
)

// What net/http allows and does, bytes.
const (
	http2MaxFrame  = 16384     // what a frame may carry, until the peer has said otherwise; the client never does
	http2MaxUpload = 512 << 10 // a frame's, once the server has said otherwise
	http2Least     = 4096      // windows are opened anew by no less
	http2Buffer    = 4096      // a handler's: a response within it is one frame
	http2Table     = 4096      // a table of headers
	http2Read      = 8192      // what a reader takes at a time: io.Discard's
)

// HTTP2 is a connection over which exchanges go one after the other, as net/http speaks at both ends. It models sizes:
// of an exchange, which writes are made in which order. Not modelled: exchanges at the same time, uploads larger than the
// server's window of 1 MiB (64 KiB the first time), that a handler may read while a body is still coming and open the stream's
// window too, and that frames which two goroutines write at once may share a write.
type HTTP2 struct {
	headers  [2]*hpack.Encoder // the client's, the server's
	block    bytes.Buffer
	unsent   [2]int // of the connection's windows: what the client, the server has read and not yet given back
	settled  bool
	exchange []HTTP2Write
	made     [2]int // of them, by the client, the server
}

// NewHTTP2 returns a connection before its first exchange.
func NewHTTP2() *HTTP2 {
	h := new(HTTP2)
	for i := range h.headers {
		h.headers[i] = hpack.NewEncoder(&h.block)
	}
	return h
}

// Exchange returns the writes of a request and its response, valid until the next call; those of the first also open the
// connection. up and down are the sizes of the bodies; a request without one is a GET, else a POST. at is the response's
// date, Unix ns; 0 = it has none.
func (h *HTTP2) Exchange(host, path string, up, down int, at int64) []HTTP2Write {
	h.exchange, h.made = h.exchange[:0], [2]int{}
	first := !h.settled
	if first {
		h.add(true, http2Preface+http2Frame+http2ClientSettings*http2Settings+http2Window, 0)
		h.add(false, http2Frame+http2ServerSettings*http2Settings, 0)
	}
	h.request(host, path, up)
	if first {
		h.add(false, http2Frame+http2Window, 1) // the client's settings acknowledged, and the connection's window
	}
	h.upload(up, first)
	whole := h.made[0]
	if first {
		h.add(true, http2Frame, 1)
		h.headers[0].SetMaxDynamicTableSize(http2Table) // as the server's settings say; the next headers repeat it
		h.settled = true
	}
	h.credit(up, whole)
	h.response(down, at, whole)
	return h.exchange
}

func (h *HTTP2) add(up bool, size, after int) {
	end := 1
	if up {
		end = 0
	}
	h.made[end]++
	h.exchange = append(h.exchange, HTTP2Write{Up: up, Size: size, After: after})
}

func (h *HTTP2) request(host, path string, up int) {
	h.block.Reset()
	method := "GET"
	if up > 0 {
		method = "POST"
	}
	h.field(0, ":authority", host)
	h.field(0, ":method", method)
	h.field(0, ":path", path)
	h.field(0, ":scheme", "https")
	if up > 0 {
		h.field(0, "content-length", strconv.Itoa(up))
	}
	h.field(0, "accept-encoding", "gzip")
	h.field(0, "user-agent", "Go-http-client/2.0")
	h.add(true, http2Frame+h.block.Len(), 0)
}

// field encodes a header. A write to a bytes.Buffer does not fail.
func (h *HTTP2) field(end int, name, value string) {
	_ = h.headers[end].WriteField(hpack.HeaderField{Name: name, Value: value})
}

// upload sends a request's body. The first body leaves before the server's settings have come.
func (h *HTTP2) upload(size int, first bool) {
	most := http2MaxUpload
	if first {
		most = http2MaxFrame
	}
	for ; size > 0; size -= most {
		h.add(true, http2Frame+min(size, most), 0)
	}
}

// credit opens the server's window of the connection as a handler reads a body. The stream's needs no opening any more: by
// then the whole body has come.
func (h *HTTP2) credit(size, whole int) {
	for at := 0; at < size; at += http2Read {
		if h.refresh(1, min(http2Read, size-at)) {
			h.add(false, http2Window, whole)
		}
	}
}

// refresh notes that an end has read n bytes, and tells whether it opens the connection's window again.
func (h *HTTP2) refresh(end, n int) bool {
	h.unsent[end] += n
	if h.unsent[end] < http2Least {
		return false
	}
	h.unsent[end] = 0
	return true
}

// response sends the headers once the whole request has come, and the body in frames; the end is a frame of its own where the body does not fit a handler's
// buffer. The client opens its windows as it reads.
func (h *HTTP2) response(size int, at int64, whole int) {
	h.block.Reset()
	h.field(1, ":status", "200")
	h.field(1, "content-type", "application/octet-stream")
	h.field(1, "content-length", strconv.Itoa(size))
	if at != 0 {
		h.field(1, "date", time.Unix(at/1e9, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	h.add(false, http2Frame+h.block.Len(), whole)
	h.exchange[len(h.exchange)-1].Reply = true
	stream := 0
	for rest := size; rest > 0; rest -= http2MaxFrame {
		frame := min(rest, http2MaxFrame)
		h.add(false, http2Frame+frame, whole)
		down := h.made[1]
		for ; frame > 0; frame -= http2Read {
			n, updates := min(frame, http2Read), 0
			if h.refresh(0, n) {
				updates += http2Window
			}
			if stream += n; stream >= http2Least {
				stream, updates = 0, updates+http2Window
			}
			if updates > 0 {
				h.add(true, updates, down)
			}
		}
	}
	if size > http2Buffer {
		h.add(false, http2Frame, whole)
	}
}

// http2Digits are sixteen characters that HPACK writes in six bits each (RFC 7541, appendix B): headers that hold random digits
// have one size.
const http2Digits = "3456789bdfghlmnp"

// AppendHTTP2Path appends the path that a token is: the same size for each.
func AppendHTTP2Path(b []byte, token [HTTPTokenSize]byte) []byte {
	b = append(b, '/')
	for _, v := range token {
		b = append(b, http2Digits[v>>4], http2Digits[v&15])
	}
	return b
}

// ParseHTTP2Path reads the token that a path is, as far as it is one.
func ParseHTTP2Path(path string) (t [HTTPTokenSize]byte) {
	if len(path) != 1+2*len(t) {
		return t
	}
	for i := range t {
		hi, lo := strings.IndexByte(http2Digits, path[1+2*i]), strings.IndexByte(http2Digits, path[2+2*i])
		if hi < 0 || lo < 0 {
			return [HTTPTokenSize]byte{}
		}
		t[i] = byte(hi<<4 | lo)
	}
	return t
}
