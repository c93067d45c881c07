package devices

// LoginMessages returns the messages with which a service's lasting connection begins; nil where it has no log-in. What is
// drawn anew for each connection is drawn from a seed, for which seed is called then alone.
func LoginMessages(s *Service, seed func() uint64) []Message {
	if len(s.Login.Messages) > 0 {
		return loginMessages(s, NewDraws(seed(), "login"), 0)
	}
	return loginMessages(s, nil, 0)
}

// loginMessages draws the messages of a log-in; level is what every reply takes now beyond its own time, ns.
func loginMessages(s *Service, d *Draws, level int64) []Message {
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
	if rest := s.Login.Down - MQTTConnack; s.Transport == TransportMQTT && rest > 0 {
		return []Message{
			{Dir: Up, Size: s.Login.Up},
			{Dir: Down, Size: MQTTConnack, Wait: wait},
			{Dir: Up, Size: MQTTSubscribe},
			{Dir: Down, Size: rest, Wait: wait},
		}
	}
	return []Message{
		{Dir: Up, Size: s.Login.Up},
		{Dir: Down, Size: s.Login.Down, Wait: wait},
	}
}
