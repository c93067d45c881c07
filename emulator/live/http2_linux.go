package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// http2 performs an exchange of requests and responses over HTTP/2, on one connection. Messages are bodies; net/http frames
// them. The path is the session's token.
func (h *Host) http2(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	c, err := h.connect(ctx, s, tag, packet.RoleTCPHandshake)
	if err != nil {
		return err
	}
	given := false
	client := &http.Transport{Protocols: transport.HTTP2Only(), DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		if given {
			return nil, errors.New("the exchange has one connection")
		}
		given = true
		return c.conn, nil
	}}
	defer c.Close() // closes for the transport, too, and under the right tag
	j := exchange.NewJob(x.Messages, h.c.Clock.Now(), tag)
	c.sess.Jobs <- j
	url := "https://" + s.Host + string(wire.AppendHTTP2Path(nil, c.token))
	for i := 0; i+1 < len(j.Messages); i += 2 {
		ask, reply := &j.Messages[i], &j.Messages[i+1]
		if err := h.c.Clock.Sleep(ctx, h.c.Clock.Now()+ask.Wait); err != nil {
			return err
		}
		if err := c.request(ctx, client, url, ask.Size, time.Duration(reply.Wait)); err != nil {
			return fmt.Errorf("asking %s: %w", s.Host, err)
		}
	}
	return nil
}

// request posts a body of so many bytes and reads the response.
func (c *connection) request(ctx context.Context, client *http.Transport, url string, size int, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, policy.StreamTimeout+wait)
	defer cancel()
	body := make([]byte, size)
	c.noise.Fill(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
