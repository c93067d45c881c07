package watch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"

	"glasshouse/testbed/frames"
)

const insideEnv = "GLASSHOUSE_WATCH_INSIDE"

// TestInterface watches a TUN in namespaces of its own: every packet that comes through it is seen, or counted as dropped.
func TestInterface(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		watchInside(t)
		return
	}
	runtime.LockOSThread() // Pdeathsig is the death of the thread that started the child
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestInterface$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "SKIP: "), err != nil && len(out) == 0:
		why := fmt.Sprintf("no namespaces or no TUN here: %v %s", err, out)
		if os.Getenv("GLASSHOUSE_CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
}

func watchInside(t *testing.T) {
	t.Helper()
	tun, err := water.New(water.Config{DeviceType: water.TUN, PlatformSpecificParams: water.PlatformSpecificParams{Name: "wan7"}})
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	defer tun.Close()
	up(t, "wan7")
	const packets = 500
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w := New(&fixed{}, nil, 0)
	wrote := make(chan error, 1)
	begun := false
	dropped, err := Interface(ctx, "wan7", func(f frames.Record) error {
		if !begun { // the socket listens
			begun = true
			go func() {
				for i := range packets {
					ip := datagram("192.168.7.2", "198.18.3.4", 64, i)
					if i%2 == 1 {
						ip = datagram("198.18.3.4", "192.168.7.2", 55, i)
					}
					if _, err := tun.Write(ip); err != nil {
						wrote <- err
						return
					}
					if i%10 == 9 { // a home's pace, not a flood's
						time.Sleep(time.Millisecond)
					}
				}
				wrote <- nil
				time.Sleep(2 * time.Second) // a busy machine's time to see the last
				cancel()
			}()
		}
		if f.Data == nil {
			return nil
		}
		err := w.Frame(f)
		if w.Counts().Labeled == packets {
			cancel()
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bytes := int64(0)
	for i := range packets {
		bytes += int64(14 + 28 + i)
	}
	// What the kernel had to drop, on a machine that is too busy, is counted: nothing is lost without a word.
	c, all := w.Counts(), w.Totals()
	if c.Labeled > packets || c.Labeled+dropped < packets || len(all) != 1 || dropped == 0 && all[0].Bytes != bytes {
		t.Errorf("%+v %+v, %d dropped; want %d packets of %d bytes", c, all, dropped, packets, bytes)
	}
	if _, err := Interface(t.Context(), "nothing7", nil); err == nil || !strings.Contains(err.Error(), "no interface") {
		t.Errorf("%v", err)
	}
}

// up sets an interface up.
func up(t *testing.T, name string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_POINTOPOINT | unix.IFF_NOARP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatal(err)
	}
}
