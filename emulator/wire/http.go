package wire

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// HTTPTokenSize is the size of the token that the path of a request is, bytes; it takes two digits for each.
const HTTPTokenSize = 16

// httpPad is a header that fills a request up to its scripted size.
const httpPad = "Cookie: "

// AppendHTTPRequest appends a GET of size bytes, or as few more as its headers need. The path is the token.
func AppendHTTPRequest(b []byte, r Rand, host string, token []byte, size int) []byte {
	start := len(b)
	b = append(b, "GET /"...)
	b = hex.AppendEncode(b, token)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: keep-alive\r\n"...)
	if have := len(b) - start; size > have+len("\r\n") {
		b = append(b, httpPad...)
		b = appendHex(b, r, max(size-have-len(httpPad)-len("\r\n\r\n"), 1))
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendHex appends n random hexadecimal digits.
func appendHex(b []byte, r Rand, n int) []byte {
	const digits = "0123456789abcdef"
	for n > 0 {
		v := r.Uint64()
		for range min(n, 16) {
			b = append(b, digits[v&15])
			v >>= 4
			n--
		}
	}
	return b
}

const (
	httpHead = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: "
	httpTail = "\r\n\r\n"
)

// AppendHTTPResponse appends the head of a response and returns the size of the body that is to follow. Together they have
// size bytes: or one more, where the length's own digits leave no other choice, or as many as the head needs.
func AppendHTTPResponse(b []byte, size int) (head []byte, body int) {
	total := func(body int) int {
		n := len(httpHead) + len(httpTail) + 1 + body
		for v := body; v >= 10; v /= 10 {
			n++
		}
		return n
	}
	body = max(2*size-total(size), 0) // size less a head whose length has as many digits as size has: seldom one too many
	for total(body) < size {
		body++
	}
	b = append(b, httpHead...)
	b = strconv.AppendInt(b, int64(body), 10)
	return append(b, httpTail...), body
}

// ParseHTTPToken reads the token that a request's path is, as far as it is one.
func ParseHTTPToken(path string) (t [HTTPTokenSize]byte) {
	s := strings.TrimPrefix(path, "/")
	for i := range t {
		if len(s) < 2*i+2 {
			return t
		}
		v, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			return t
		}
		t[i] = byte(v)
	}
	return t
}
