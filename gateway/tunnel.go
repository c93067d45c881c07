package gateway

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"glasshouse/emulator/packet"
)

// TunnelConfig describes one end of a WireGuard tunnel with one peer.
type TunnelConfig struct {
	Name          string
	TUN           io.ReadWriteCloser // raw IP, one packet a Read and a Write; the tunnel closes it
	MTU           int
	PrivateKey    [32]byte
	PeerPublicKey [32]byte
	ListenPort    uint16 // 0 = any
	Endpoint      netip.AddrPort
	AllowedIPs    []netip.Prefix
	Keepalive     time.Duration // persistent keepalive; 0 = none
	// Listen opens the outer UDP socket. It is called on wireguard-go's own goroutine: it enters the right namespace itself.
	Listen func(port uint16) (*net.UDPConn, error)
	Logf   func(format string, args ...any) // may be nil

	// The hooks follow a packet through the engine by the identity of its buffer: wireguard-go encrypts and decrypts in
	// place. Each may be nil. They are called on the engine's goroutines and must not block.

	// Sealing tells the lineage of an inner packet just read from the TUN.
	Sealing func(inner []byte) packet.Lineage
	// Sealed gives the key under which that packet is about to be sent.
	Sealed func(k OuterKey, l packet.Lineage)
	// Opened gives the inner packet that arrived under a key, before it is written to the TUN.
	Opened func(k OuterKey, inner []byte)
}

// Tunnel is one end of a WireGuard tunnel.
type Tunnel struct {
	dev *device.Device
	wg  sync.WaitGroup
}

// NewTunnel starts an end of a tunnel. It is up when NewTunnel returns: it listens, and has its peer.
func NewTunnel(c TunnelConfig) (*Tunnel, error) {
	if c.TUN == nil || c.Listen == nil || c.MTU <= 0 {
		return nil, errors.New("a tunnel needs a TUN, a Listen function and an MTU")
	}
	trail := &trail{c: &c, sealing: make(map[*byte]packet.Lineage), opening: make(map[*byte]OuterKey)}
	logf := c.Logf
	if logf == nil {
		logf = device.DiscardLogf
	}
	t := &tunDevice{name: c.Name, rw: c.TUN, mtu: c.MTU, events: make(chan tun.Event, 1), trail: trail}
	dev := device.NewDevice(t, &bind{listen: c.Listen, trail: trail}, &device.Logger{Verbosef: device.DiscardLogf, Errorf: logf})
	// The device comes up by Up alone: a TUN event that raced with listen_port would lose the first handshake.
	if err := dev.IpcSet(c.uapi()); err != nil {
		dev.Close()
		return nil, fmt.Errorf("configuring %s: %w", c.Name, err)
	}
	if err := dev.Up(); err != nil {
		dev.Close()
		return nil, fmt.Errorf("bringing %s up: %w", c.Name, err)
	}
	return &Tunnel{dev: dev}, nil
}

// uapi writes the configuration in the language of WireGuard's cross-platform interface.
func (c *TunnelConfig) uapi() string {
	var b strings.Builder
	fmt.Fprintf(&b, "private_key=%s\n", hex.EncodeToString(c.PrivateKey[:]))
	fmt.Fprintf(&b, "listen_port=%d\n", c.ListenPort)
	fmt.Fprintf(&b, "public_key=%s\n", hex.EncodeToString(c.PeerPublicKey[:]))
	if c.Endpoint.IsValid() {
		fmt.Fprintf(&b, "endpoint=%s\n", c.Endpoint)
	}
	if c.Keepalive > 0 {
		fmt.Fprintf(&b, "persistent_keepalive_interval=%d\n", int(c.Keepalive.Seconds()))
	}
	for _, p := range c.AllowedIPs {
		fmt.Fprintf(&b, "allowed_ip=%s\n", p)
	}
	return b.String()
}

// ServeUAPI answers `wg` on a control socket until the listener is closed.
func (t *Tunnel) ServeUAPI(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		t.wg.Go(func() { t.dev.IpcHandle(c) })
	}
}

// Down stops the tunnel without closing it: nothing passes any more.
func (t *Tunnel) Down() error { return t.dev.Down() }

// Close ends the tunnel and closes its TUN.
func (t *Tunnel) Close() error {
	t.dev.Close()
	return nil
}
