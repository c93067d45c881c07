package wire

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
)

// HTTP2Write is one write of an end of an HTTP/2 connection: so many bytes of frames. Over TLS it is as many records as it
// takes, of MaxPlaintext bytes each but the last.
type HTTP2Write struct {
	Up   bool
	Size int
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
// date, Unix ns.
func (h *HTTP2) Exchange(host, path string, up, down int, at int64) []HTTP2Write {
	h.exchange = h.exchange[:0]
	first := !h.settled
	if first {
		h.add(true, http2Preface+http2Frame+http2ClientSettings*http2Settings+http2Window)
		h.add(false, http2Frame+http2ServerSettings*http2Settings)
	}
	h.request(host, path, up)
	if first {
		h.add(false, http2Frame+http2Window) // the client's settings acknowledged, and the connection's window
	}
	h.upload(up, first)
	if first {
		h.add(true, http2Frame)
		h.headers[0].SetMaxDynamicTableSize(http2Table) // as the server's settings say; the next headers repeat it
		h.settled = true
	}
	h.credit(up)
	h.response(down, at)
	return h.exchange
}

func (h *HTTP2) add(up bool, size int) { h.exchange = append(h.exchange, HTTP2Write{up, size}) }

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
	h.add(true, http2Frame+h.block.Len())
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
		h.add(true, http2Frame+min(size, most))
	}
}

// credit opens the server's window of the connection as a handler reads a body. The stream's needs no opening any more: by
// then the whole body has come.
func (h *HTTP2) credit(size int) {
	for at := 0; at < size; at += http2Read {
		if h.refresh(1, min(http2Read, size-at)) {
			h.add(false, http2Window)
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

// response sends the headers, and the body in frames; the end is a frame of its own where the body does not fit a handler's
// buffer. The client opens its windows as it reads.
func (h *HTTP2) response(size int, at int64) {
	h.block.Reset()
	h.field(1, ":status", "200")
	h.field(1, "content-type", "application/octet-stream")
	h.field(1, "content-length", strconv.Itoa(size))
	h.field(1, "date", time.Unix(at/1e9, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	h.add(false, http2Frame+h.block.Len())
	stream := 0
	for rest := size; rest > 0; rest -= http2MaxFrame {
		frame := min(rest, http2MaxFrame)
		h.add(false, http2Frame+frame)
		for ; frame > 0; frame -= http2Read {
			n, updates := min(frame, http2Read), 0
			if h.refresh(0, n) {
				updates += http2Window
			}
			if stream += n; stream >= http2Least {
				stream, updates = 0, updates+http2Window
			}
			if updates > 0 {
				h.add(true, updates)
			}
		}
	}
	if size > http2Buffer {
		h.add(false, http2Frame)
	}
}
