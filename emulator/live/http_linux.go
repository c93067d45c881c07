package live

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"glasshouse/devices"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// httpPad is a header that fills a request up to its scripted size.
const httpPad = "Cookie"

// http performs an exchange of requests and responses in the clear, on one connection. The path is the session's token.
func (h *Host) http(ctx context.Context, s *devices.Service, x *devices.Exchange, tag truth.Tag) error {
	c, err := h.connect(ctx, s, tag, packet.RoleTCPHandshake)
	if err != nil {
		return err
	}
	defer c.close()
	j := newJob(x.Messages, h.c.Clock.Now(), tag)
	c.sess.jobs <- j
	r := bufio.NewReader(c.conn)
	for i := range j.messages {
		m := &j.messages[i]
		if m.Dir == devices.Up {
			if err := h.c.Clock.Sleep(ctx, h.c.Clock.Now()+m.Wait); err != nil {
				return err
			}
			if _, err := io.WriteString(c.conn, httpRequest(s.Host, hex.EncodeToString(c.token[:]), m.Size, c.noise)); err != nil {
				return err
			}
			continue
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(streamPatience + time.Duration(m.Wait)))
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return fmt.Errorf("reading from %s: %w", s.Host, err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return fmt.Errorf("reading from %s: %w", s.Host, err)
		}
	}
	return nil
}

// httpRequest writes a GET of size bytes, or as few more as its headers need.
func httpRequest(host, token string, size int, n *noise) string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: keep-alive\r\n", token, host)
	if size > b.Len()+len("\r\n") {
		pad := max(size-b.Len()-len(httpPad)-len(": \r\n\r\n"), 1)
		half := make([]byte, (pad+1)/2)
		n.fill(half)
		fmt.Fprintf(&b, "%s: %s\r\n", httpPad, hex.EncodeToString(half)[:pad])
	}
	b.WriteString("\r\n")
	return b.String()
}

// serveHTTP answers requests whose path names the session; sizes are the job's.
func (cl *Cloud) serveHTTP(r *bufio.Reader, announced *truth.StreamConn) error {
	var j *job
	next := 0
	n := newNoise(uint64(cl.c.Clock.Now()))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		if j == nil {
			sess := cl.c.Sessions.find(parseToken(req.URL.Path))
			if sess == nil {
				return errors.New("the path names no session")
			}
			j = <-sess.jobs
			announced.SetTag(j.tag)
		}
		for next < len(j.messages) && j.messages[next].Dir != devices.Down {
			next++
		}
		if next == len(j.messages) {
			return errors.New("a request beyond the exchange")
		}
		m := &j.messages[next]
		next++
		if err := cl.c.Clock.Sleep(cl.ctx, cl.c.Clock.Now()+m.Wait); err != nil {
			return err
		}
		head, body := httpResponse(m.Size)
		if err := n.write(announced, head, body); err != nil {
			return err
		}
	}
}

// httpResponse returns the head of a response, and the size of its body, that together have size bytes: or one more, where
// the length's own digits leave no other choice, or as many as the head needs.
func httpResponse(size int) (head string, body int) {
	build := func(body int) string {
		return "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(body) + "\r\n\r\n"
	}
	body = max(size-len(build(size)), 0)
	for len(build(body))+body < size {
		body++
	}
	return build(body), body
}

// parseToken reads the token that a path is.
func parseToken(path string) (t [tokenSize]byte) {
	for i := range t {
		s := strings.TrimPrefix(path, "/")
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
