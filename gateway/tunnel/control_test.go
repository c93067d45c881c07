package tunnel_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"glasshouse/gateway/tunnel"
	"glasshouse/gateway/tunnel/outer"
)

func noHooks(string, *tunnel.Config) {}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: ", what)
}

func TestStats(t *testing.T) {
	p := pair(t, 0, func(_ string, c *tunnel.Config) { c.PresharedKey = [32]byte{1, 2, 3} }, func([]byte) {})
	defer p.stop()
	s, err := p.client.Stats()
	if err != nil || !s.LastHandshake.IsZero() || s.Sent != 0 || s.ListenPort == 0 {
		t.Fatalf("before: %+v, %v", s, err)
	}
	p.clientTUN.in <- inner(home, cloud, 1, 81)
	eventually(t, "bytes arrive", func() bool { s, err := p.server.Stats(); return err == nil && s.Received >= 148+128 })
	eventually(t, "a handshake", func() bool { s, err := p.client.Stats(); return err == nil && !s.LastHandshake.IsZero() })
}

// The first packet passes with the first handshake: one that was lost in coming up would cost 5 s.
func TestFirstHandshakeIsNotLost(t *testing.T) {
	for range 5 {
		opened := make(chan struct{}, 8)
		p := pair(t, 0, func(end string, c *tunnel.Config) {
			if end == "server" {
				c.Opened = func(outer.Key, []byte) { opened <- struct{}{} }
			}
		}, func([]byte) {})
		p.clientTUN.in <- inner(home, cloud, 1, 100)
		select {
		case <-opened:
		case <-time.After(3 * time.Second):
			t.Fatal("no packet within 3 s")
		}
		p.stop()
	}
}

func TestPresharedKeyMustMatch(t *testing.T) {
	p := pair(t, 0, func(end string, c *tunnel.Config) {
		if end == "server" {
			c.PresharedKey = [32]byte{1}
		}
	}, func([]byte) {})
	defer p.stop()
	p.clientTUN.in <- inner(home, cloud, 1, 100)
	time.Sleep(300 * time.Millisecond)
	if s, err := p.client.Stats(); err != nil || !s.LastHandshake.IsZero() {
		t.Errorf("a handshake with the wrong key: %+v, %v", s, err)
	}
}

func TestServesUAPI(t *testing.T) {
	p := pair(t, 0, noHooks, func([]byte) {})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { p.client.ServeUAPI(ln); close(served) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "get=1\n\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var answer strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if answer.WriteString(line); line == "\n" {
			break
		}
	}
	if strings.Contains(answer.String(), "private_key") || strings.Contains(answer.String(), "preshared_key") {
		t.Errorf("the answer has secret keys:\n%s", answer.String())
	}
	for _, want := range []string{"public_key=", "allowed_ip=0.0.0.0/0", "errno=0"} {
		if !strings.Contains(answer.String(), want) {
			t.Errorf("no %q in the answer", want)
		}
	}
	p.stop() // with the connection still open: it must not hang
	if _, err := r.ReadString('\n'); err == nil {
		t.Error("the connection outlives the tunnel")
	}
	_ = ln.Close()
	<-served
}

func TestRefusesHalfAConfiguration(t *testing.T) {
	good := tunnel.Config{Name: "x", TUN: newMemTUN(), MTU: 1420, Listen: listenLoopback}
	for name, spoil := range map[string]func(c *tunnel.Config){
		"no TUN":    func(c *tunnel.Config) { c.TUN = nil },
		"no Listen": func(c *tunnel.Config) { c.Listen = nil },
		"no MTU":    func(c *tunnel.Config) { c.MTU = 0 },
		"port taken": func(c *tunnel.Config) {
			c.Listen = func(uint16) (*net.UDPConn, error) { return nil, errors.New("taken") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			c.TUN = newMemTUN()
			spoil(&c)
			if tun, err := tunnel.New(c); err == nil {
				_ = tun.Close()
				t.Error("accepted")
			}
		})
	}
}

// A TUN that fails ends its tunnel and is told to the log, but Close still works.
func TestSurvivesItsTUNsEnd(t *testing.T) {
	p := pair(t, 0, noHooks, func([]byte) {})
	_ = p.clientTUN.Close()
	time.Sleep(50 * time.Millisecond)
	if err := p.client.Close(); err != nil {
		t.Error(err)
	}
	p.stop()
}

func TestWireSizes(t *testing.T) {
	sizes := make(chan int, 1000)
	p := pair(t, 0, noHooks, func(b []byte) {
		if kind, _ := outer.Parse(b); kind == outer.Data {
			sizes <- len(b)
		}
	})
	defer p.stop()
	// 32 + pad16(inner), never past the MTU.
	for in, want := range map[int]int{36: 80, 48: 80, 49: 96, 81: 128, 90: 128, 96: 128, 97: 144, 121: 160, 1408: 1440, 1409: 1452, 1419: 1452, 1420: 1452} {
		p.clientTUN.in <- inner(home, cloud, 1, in)
		select {
		case n := <-sizes:
			if n != want {
				t.Errorf("inner %d becomes %d, want %d", in, n, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came through the tunnel")
		}
	}
}
