package live

import (
	"io"
	"net"
	"testing"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// What a stack that keeps its writes apart writes to, on the LAN as to the cloud: the connection that asks the kernel for it.
func TestSocketsOfStacksThatKeepWritesApart(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, want := range []bool{false, true} {
		h := &Host{c: HostConfig{Specimen: &script.Specimen{Profile: &profile.Profile{Stack: profile.Stack{Apart: want}}}}}
		s := h.socket(near)
		if _, is := s.(apart); is != want {
			t.Errorf("apart %v: %T", want, s)
		}
		got := make([]byte, 10)
		for _, text := range []string{"hello", "world"} {
			if n, err := s.Write([]byte(text)); n != 5 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if _, err := io.ReadFull(far, got); err != nil || string(got) != "helloworld" {
			t.Errorf("%q, %v", got, err)
		}
	}
}
