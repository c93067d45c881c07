package transport

import "net/http"

// HTTP2Only speaks HTTP/2 and nothing else.
func HTTP2Only() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	return p
}

// ProtocolHTTP2 is the name of HTTP/2 in TLS (RFC 9113, section 3.1).
const ProtocolHTTP2 = "h2"
