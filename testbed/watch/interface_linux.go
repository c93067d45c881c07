package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"glasshouse/testbed/frames"
)

// wholeFrame is what is captured of a frame, bytes: the library's own default cuts the last 14 of a full one.
const wholeFrame = 65550

// waiting is how many frames may wait to be labelled.
const waiting = 1 << 14

// Interface gives the frames of a network interface until ctx ends: yield is called for each, and with a zero Record (no Data)
// now and then while there are none. It returns how many frames the kernel and we had to drop. It needs CAP_NET_RAW.
func Interface(ctx context.Context, name string, yield func(frames.Record) error) (dropped int64, err error) {
	link, err := linkOf(name)
	if err != nil {
		return 0, err
	}
	h, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w (capturing needs CAP_NET_RAW: root, or a namespace of your own)", name, err)
	}
	if err := h.SetCaptureLength(wholeFrame); err != nil {
		return 0, err
	}
	queue, failed := make(chan frames.Record, waiting), make(chan error, 1)
	stop, cancel := context.WithCancel(context.WithoutCancel(ctx)) // after the last look at the counters
	defer cancel()
	go func() { // ends with the first frame after stop: the library's read cannot be interrupted
		defer h.Close() // after stop, when nobody reads the counters any more
		for {
			b, info, err := h.ReadPacketData()
			if err != nil {
				failed <- err
				<-stop.Done()
				return
			}
			select {
			case <-stop.Done():
				return
			default:
			}
			select {
			case queue <- frames.Record{TsNs: info.Timestamp.UnixNano(), Length: info.Length, Data: b, Link: link}:
			case <-stop.Done():
				return
			}
		}
	}()
	count := func() { // the kernel counts anew each time that it is asked
		if s, err := h.Stats(); err == nil {
			dropped += int64(s.Drops)
		}
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case f := <-queue:
			err = yield(f)
		case <-tick.C:
			count()
			err = yield(frames.Record{})
		case err = <-failed:
			err = fmt.Errorf("%s: %w", name, err)
		case <-ctx.Done():
			for len(queue) > 0 && err == nil {
				err = yield(<-queue)
			}
			count()
			return dropped, err
		}
		if err != nil {
			return dropped, err
		}
	}
}

// linkOf tells the link type of an interface by its hardware type (Linux's if_arp.h).
func linkOf(name string) (uint16, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("%q is no interface's name", name)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, r); err != nil {
		if errors.Is(err, unix.ENODEV) {
			return 0, fmt.Errorf("there is no interface %q", name)
		}
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	switch t := r.Uint16(); t {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK: // loopback has Ethernet's header too
		return frames.LinkEthernet, nil
	case unix.ARPHRD_NONE, unix.ARPHRD_PPP: // TUN: the packet socket gives IP
		return frames.LinkRaw, nil
	default:
		return 0, fmt.Errorf("%s: hardware type %d; Ethernet and raw IP are read", name, t)
	}
}
