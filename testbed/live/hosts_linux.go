package live

import (
	"context"
	"fmt"
	"log/slog"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live"
	"glasshouse/emulator/live/netns"
)

func (l *lab) buildHosts(ctx context.Context) error {
	type booted struct {
		i   int
		err error
	}
	done := make(chan booted)
	for i := range l.home.Specimens {
		s := &l.home.Specimens[i]
		ns, err := l.namespace(s.Name)
		if err != nil {
			return err
		}
		tap, err := ns.AddTAP("wlan0", s.MAC, l.lanMTU())
		if err != nil {
			return err
		}
		l.onClose(tap)
		host, err := live.NewHost(l.hostConfig(ns, s))
		if err != nil {
			return err
		}
		l.onClose(host)
		l.hosts = append(l.hosts, host)
		l.taps[i] = l.sink(tap)
		l.read(tap, func(frame []byte) { l.ap.FromStation(i, frame) })
	}
	for i, host := range l.hosts {
		go func() { done <- booted{i, host.Boot(ctx)} }()
	}
	var first error
	for range l.hosts {
		if b := <-done; b.err != nil && first == nil {
			first = fmt.Errorf("%s: %w", l.home.Specimens[b.i].Name, b.err)
		}
	}
	if first != nil {
		return first
	}
	return l.introducePhone()
}

// introducePhone lets devices find the household's phone on the LAN, and the phone answer them.
func (l *lab) introducePhone() error {
	phone, ok := l.home.Peer()
	if !ok {
		return nil
	}
	ports := make(map[uint16]bool)
	for i := range l.home.Specimens {
		for _, s := range l.home.Specimens[i].Profile.Services {
			if s.Host != profile.HostPeer || s.WAN() {
				continue
			}
			l.hosts[i].SetPeer(l.hosts[phone.Index])
			if s.Transport == profile.TransportLAN {
				ports[s.Port] = true
			}
		}
	}
	for port := range ports {
		if err := l.hosts[phone.Index].ServeLAN(port); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) hostConfig(ns *netns.Namespace, s *script.Specimen) live.HostConfig {
	return live.HostConfig{
		NS: ns, Specimen: s, Registry: l.flows, Clock: l.wall, Authority: l.authority, Sessions: l.sessions,
		Activity: l.names.Activity, NTP: l.home.NTP, Log: slog.Default(),
	}
}
