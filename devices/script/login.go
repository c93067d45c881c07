package script

import (
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// LoginMessages returns the messages with which a service's lasting connection begins; nil where it has no log-in. What is
// drawn anew for each connection is drawn from a seed, for which seed is called then alone.
func LoginMessages(s *profile.Service, seed func() uint64) []Message {
	if len(s.Login.Messages) > 0 {
		return loginMessages(s, draw.New(seed(), "login"), 0)
	}
	return loginMessages(s, nil, 0)
}

// loginMessages draws the messages of a log-in; level is what every reply takes now beyond its own time, ns.
func loginMessages(s *profile.Service, d *draw.Stream, level int64) []Message {
	if len(s.Login.Messages) > 0 {
		e := expander{svc: s, d: d, level: level}
		e.items(s.Login.Messages)
		return e.out
	}
	if s.Login.Up == 0 {
		return nil
	}
	wait := (s.Latency.Min + s.Latency.Max) / 2
	if n := len(s.Replies); n > 0 {
		wait = s.Replies[n/2]
	}
	if rest := s.Login.Down - profile.MQTTConnack; s.Transport == profile.TransportMQTT && rest > 0 {
		return []Message{
			{Dir: profile.Up, Size: s.Login.Up},
			{Dir: profile.Down, Size: profile.MQTTConnack, Wait: wait},
			{Dir: profile.Up, Size: profile.MQTTSubscribe},
			{Dir: profile.Down, Size: rest, Wait: wait},
		}
	}
	return []Message{
		{Dir: profile.Up, Size: s.Login.Up},
		{Dir: profile.Down, Size: s.Login.Down, Wait: wait},
	}
}
