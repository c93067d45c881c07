package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

var errNoPhone = errors.New("there is no phone on the LAN")

// serveApps makes the device listen to what the household's phone may want of it, on TCP ports of the LAN.
func (h *Host) serveApps() error {
	p := h.c.Specimen.Profile
	ports := make(map[uint16]bool)
	for i := range p.Services {
		s := &p.Services[i]
		if s.Transport != profile.TransportApp || ports[s.Port] {
			continue
		}
		ports[s.Port] = true
		lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error { return transport.SetCongestionControl(c) }}
		lc.SetMultipathTCP(false)
		var ln net.Listener
		if err := h.c.NS.Do(func() (err error) {
			ln, err = lc.Listen(h.ctx, "tcp4", netip.AddrPortFrom(h.lease.prefix.Addr(), s.Port).String())
			return err
		}); err != nil {
			return fmt.Errorf("%s: serving TCP port %d: %w", h.name, s.Port, err)
		}
		context.AfterFunc(h.ctx, func() { _ = ln.Close() })
		h.wg.Go(func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				h.wg.Go(func() {
					if err := h.serveApp(conn); err != nil && h.ctx.Err() == nil {
						h.c.Log.Debug("an app's dialogue ended", "unit", h.name, "error", err)
					}
				})
			}
		})
	}
	return nil
}

// serveApp walks the device's end of a dialogue, and closes the connection when all is said.
func (h *Host) serveApp(conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(h.ctx, func() { _ = conn.Close() })()
	var token [exchange.TokenSize]byte
	if err := conn.SetReadDeadline(time.Now().Add(policy.StreamTimeout)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, token[:]); err != nil {
		return err
	}
	sess := h.c.Sessions.Find(token)
	if sess == nil {
		return errors.New("the token names no session")
	}
	j := <-sess.Jobs // there before the token was sent
	n, buf := exchange.NewNoise(h.draw()), make([]byte, exchange.MaxWrite)
	if err := exchange.Discard(conn, j.Messages[0].Size-exchange.TokenSize, policy.StreamTimeout, buf); err != nil {
		return err
	}
	end := exchange.Stream{Clock: h.c.Clock, Conn: h.socket(conn), Dir: packet.Up, Noise: n, Buffer: buf}
	return end.Walk(h.ctx, exchange.NewJob(j.Messages[1:], h.c.Clock.Now(), j.Tag))
}

// called performs a dialogue that the household's phone opens with the device.
func (h *Host) called(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	if h.peer == nil {
		return errNoPhone
	}
	return h.peer.call(ctx, netip.AddrPortFrom(h.lease.prefix.Addr(), s.Port), x, tag)
}

// call is the phone's part of it: it opens, walks its end, and takes leave when the device does.
func (h *Host) call(ctx context.Context, to netip.AddrPort, x *script.Exchange, tag packet.Tag) error {
	raw, flow, err := h.dial(ctx, packet.ProtoTCP, to, tag, true)
	if err != nil {
		return err
	}
	defer func() {
		_ = raw.Close()
		h.c.Registry.Close(flow, h.c.Clock.Now())
	}()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	sess, token, err := h.c.Sessions.Open()
	if err != nil {
		return err
	}
	defer h.c.Sessions.Forget(token)
	j := exchange.NewJob(x.Messages, h.c.Clock.Now(), tag)
	conn := &named{Conn: h.socket(raw), token: token, offer: func() { sess.Jobs <- j }}
	buf := make([]byte, exchange.MaxWrite)
	end := exchange.Stream{Clock: h.c.Clock, Conn: conn, Dir: packet.Down, Noise: exchange.NewNoise(h.draw()), Buffer: buf}
	if err := end.Walk(ctx, j); err != nil {
		return err
	}
	_ = raw.SetReadDeadline(time.Now().Add(policy.StreamTimeout))
	if _, err := raw.Read(buf); !errors.Is(err, io.EOF) {
		return fmt.Errorf("waiting for the device to close: %w", err)
	}
	return nil
}
