package live

import "net/http"

// http2Only speaks HTTP/2 and nothing else.
func http2Only() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	return p
}

// protoH2 is the name of HTTP/2 in TLS (RFC 9113, section 3.1).
const protoH2 = "h2"
