package live

import (
	"bufio"
	"errors"
	"net/http"

	"glasshouse/devices/profile"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// serveHTTP answers requests whose path names the session; sizes are the job's.
func (cl *Cloud) serveHTTP(r *bufio.Reader, announced *truth.StreamConn) error {
	var j *job
	next := 0
	n := newNoise(uint64(cl.c.Clock.Now()))
	var buf [256]byte
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		if j == nil {
			sess := cl.c.Sessions.find(wire.ParseHTTPToken(req.URL.Path))
			if sess == nil {
				return errors.New("the path names no session")
			}
			j = <-sess.jobs
			announced.SetTag(j.tag)
		}
		for next < len(j.messages) && j.messages[next].Dir != profile.Down {
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
		head, body := wire.AppendHTTPResponse(buf[:0], m.Size)
		if err := n.write(announced, string(head), body); err != nil {
			return err
		}
	}
}
