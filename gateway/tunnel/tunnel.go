// Package tunnel runs one end of a WireGuard tunnel by wireguard-go, and follows each packet through the engine by the identity of its
// buffer. It opens nothing: it is handed a TUN and a function that listens. Its hooks are called on the engine's goroutines.
// What simulated homes use instead is package wgmodel, which needs no engine.
package tunnel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// Config describes one end of a WireGuard tunnel with one peer.
type Config struct {
	Name          string
	TUN           io.ReadWriteCloser // raw IP, one packet a Read and a Write; the tunnel closes it
	MTU           int
	PrivateKey    [32]byte
	PeerPublicKey [32]byte
	PresharedKey  [32]byte // all zero = none
	ListenPort    uint16   // 0 = any
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
	Sealed func(k outer.Key, l packet.Lineage)
	// Opened gives the inner packet that arrived under a key, before it is written to the TUN.
	Opened func(k outer.Key, inner []byte)
}

// Tunnel is one end of a WireGuard tunnel. Its methods are safe for concurrent use.
type Tunnel struct {
	dev *device.Device
	wg  sync.WaitGroup // answers to control connections

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// New starts an end of a tunnel. It is up when NewTunnel returns: it listens, and has its peer.
func New(c Config) (*Tunnel, error) {
	if c.TUN == nil || c.Listen == nil || c.MTU <= 0 {
		return nil, errors.New("a tunnel needs a TUN, a Listen function and an MTU")
	}
	trail := newTrail(&c)
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
	return &Tunnel{dev: dev, conns: make(map[net.Conn]struct{})}, nil
}

// uapi writes the configuration in the language of WireGuard's cross-platform interface.
func (c *Config) uapi() string {
	var b strings.Builder
	fmt.Fprintf(&b, "private_key=%s\n", hex.EncodeToString(c.PrivateKey[:]))
	fmt.Fprintf(&b, "listen_port=%d\n", c.ListenPort)
	fmt.Fprintf(&b, "public_key=%s\n", hex.EncodeToString(c.PeerPublicKey[:]))
	if c.PresharedKey != [32]byte{} {
		fmt.Fprintf(&b, "preshared_key=%s\n", hex.EncodeToString(c.PresharedKey[:]))
	}
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

// ServeUAPI answers `wg` on a control socket until the listener is closed, which is its owner's to do. Private and preshared keys
// are left out of the answers.
func (t *Tunnel) ServeUAPI(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		if !t.track(c) {
			_ = c.Close()
			return
		}
		go t.answer(c)
	}
}

func (t *Tunnel) track(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.conns[c] = struct{}{}
	t.wg.Add(1) // under the lock that Close takes before it waits
	return true
}

func (t *Tunnel) answer(c net.Conn) {
	defer t.wg.Done()
	t.dev.IpcHandle(&keyless{Conn: c}) // closes c
	t.mu.Lock()
	delete(t.conns, c)
	t.mu.Unlock()
}

// Stats are what wireguard-go counts for the peer.
type Stats struct {
	Received      int64     // bytes of UDP payload
	Sent          int64     // bytes of UDP payload
	LastHandshake time.Time // zero before the first
	ListenPort    uint16
}

// Stats asks the engine.
func (t *Tunnel) Stats() (Stats, error) {
	text, err := t.dev.IpcGet()
	if err != nil {
		return Stats{}, fmt.Errorf("asking the tunnel for its state: %w", err)
	}
	return parseStats(text)
}

func parseStats(text string) (s Stats, err error) {
	var sec, nsec int64
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		var to *int64
		switch key {
		case "rx_bytes":
			to = &s.Received
		case "tx_bytes":
			to = &s.Sent
		case "last_handshake_time_sec":
			to = &sec
		case "last_handshake_time_nsec":
			to = &nsec
		case "listen_port":
			port, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return s, fmt.Errorf("tunnel state: %w", err)
			}
			s.ListenPort = uint16(port)
			continue
		default:
			continue
		}
		if *to, err = strconv.ParseInt(value, 10, 64); err != nil {
			return s, fmt.Errorf("tunnel state: %w", err)
		}
	}
	if sec != 0 || nsec != 0 {
		s.LastHandshake = time.Unix(sec, nsec)
	}
	return s, nil
}

// Down stops the tunnel without closing it: nothing passes any more.
func (t *Tunnel) Down() error { return t.dev.Down() }

// Close ends the tunnel, closes its TUN and its control connections, and returns when all its goroutines have ended, but
// for ServeUAPI, which ends with its listener.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	t.closed = true
	for c := range t.conns {
		_ = c.Close()
	}
	t.mu.Unlock()
	t.dev.Close() // calls the hooks: no lock of ours is held
	t.wg.Wait()
	return nil
}
