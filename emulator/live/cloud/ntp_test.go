package cloud

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestNTPAnswers(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveNTP(conn)
	}()
	c, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	q := make([]byte, 48)
	q[0] = 0x23
	copy(q[40:], "12345678")
	if _, err := c.Write(q); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	a := make([]byte, 100)
	n, err := io.ReadAtLeast(c, a, 48)
	if err != nil || n != 48 || a[0] != 0x24 || string(a[24:32]) != "12345678" {
		t.Errorf("%x %v", a[:n], err)
	}
	_ = c.Close()
	_ = conn.Close()
	<-done
}
