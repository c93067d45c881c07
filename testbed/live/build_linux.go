package live

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/policy"
	"glasshouse/testbed/homenet"
)

// Script time 0 lies this far ahead when the interfaces are up: the devices get their leases before it.
const settleTime = 2 * time.Second

// build makes the namespaces, interfaces, servers and hosts, and starts what moves packets between them.
func (l *lab) build(ctx context.Context) error {
	if err := l.clocks(); err != nil {
		return err
	}
	for _, step := range []struct {
		doing string
		f     func(context.Context) error
	}{
		{"building the gateway", l.buildGateway},
		{"building the internet", l.buildInternet},
		{"opening the tunnel", l.buildTunnel},
		{"building the devices", l.buildHosts},
	} {
		if err := step.f(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	return nil
}

func (l *lab) clocks() (err error) {
	for _, w := range []**clock.Wall{&l.wall, &l.air, &l.path} {
		if *w, err = clock.NewWall(l.start); err != nil {
			return fmt.Errorf("starting the clock: %w", err)
		}
		l.onClose(*w)
	}
	return nil
}

func (l *lab) namespace(name string) (*netns.Namespace, error) {
	ns, err := netns.New(name)
	if err != nil {
		return nil, err
	}
	l.onClose(ns)
	l.spaces[name] = ns
	for _, s := range policy.TCPSysctls() {
		if err := ns.Sysctl(s[0], s[1]); err != nil {
			return nil, fmt.Errorf("setting %s: %w", s[0], err)
		}
	}
	return ns, ns.Bind(filepath.Join("/run/netns", name))
}

func (l *lab) tunnelled() bool { return homenet.Tunnelled(l.sc) }

func (l *lab) lanMTU() int {
	if l.tunnelled() {
		return homenet.TunnelMTU
	}
	return homenet.MTU
}

// sink returns a function that puts packets on an interface and recycles their buffers. A packet that the interface does
// not take is counted.
func (l *lab) sink(to interface{ Write([]byte) (int, error) }) func([]byte) {
	return func(b []byte) {
		if _, err := to.Write(b); err != nil {
			l.writeErrors.Add(1)
		}
		l.pool.Put(b)
	}
}

// read hands each packet of an interface to f, which owns it, until the interface is closed.
func (l *lab) read(from interface{ Read([]byte) (int, error) }, f func([]byte)) {
	l.readers.Go(func() {
		for {
			b := l.pool.Get()
			n, err := from.Read(b)
			if err != nil {
				return
			}
			f(b[:n])
		}
	})
}

type closeFunc func()

// Close implements io.Closer.
func (f closeFunc) Close() error {
	f()
	return nil
}
