package live

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// http performs an exchange of requests and responses in the clear, on one connection. The path is the session's token.
func (h *Host) http(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	c, err := h.connect(ctx, s, tag, packet.RoleTCPHandshake)
	if err != nil {
		return err
	}
	defer c.Close()
	j := exchange.NewJob(x.Messages, h.c.Clock.Now(), tag)
	c.sess.Jobs <- j
	r := bufio.NewReader(c.conn)
	for i := range j.Messages {
		m := &j.Messages[i]
		if m.Dir == profile.Up {
			if err := h.c.Clock.Sleep(ctx, h.c.Clock.Now()+m.Wait); err != nil {
				return err
			}
			if _, err := c.conn.Write(wire.AppendHTTPRequest(c.buf[:0], c.noise.Rand(), s.Host, c.token[:], m.Size)); err != nil {
				return err
			}
			continue
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(policy.StreamTimeout + time.Duration(m.Wait)))
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
