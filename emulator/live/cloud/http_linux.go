package cloud

import (
	"bufio"
	"errors"
	"net/http"

	"glasshouse/devices/profile"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// serveHTTP answers requests whose path names the session; sizes are the job's.
func (cl *Servers) serveHTTP(r *bufio.Reader, announced *truth.StreamConn) error {
	var j *exchange.Job
	next := 0
	n := exchange.NewNoise(uint64(cl.c.Clock.Now()))
	var buf [256]byte
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		if j == nil {
			sess := cl.c.Sessions.Find(wire.ParseHTTPToken(req.URL.Path))
			if sess == nil {
				return errors.New("the path names no session")
			}
			j = <-sess.Jobs
			announced.SetTag(j.Tag)
		}
		for next < len(j.Messages) && j.Messages[next].Dir != profile.Down {
			next++
		}
		if next == len(j.Messages) {
			return errors.New("a request beyond the exchange")
		}
		m := &j.Messages[next]
		next++
		if err := cl.c.Clock.Sleep(cl.ctx, cl.c.Clock.Now()+m.Wait); err != nil {
			return err
		}
		head, body := wire.AppendHTTPResponse(buf[:0], m.Size)
		if err := n.Write(announced, string(head), body); err != nil {
			return err
		}
	}
}
