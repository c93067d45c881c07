package learn

import (
	"fmt"
	"strings"
	"time"
)

// captureKey is the key of the capture in the profile's own list of sources.
const captureKey = "own-capture"

// write writes the profile.
func (l *learner) write() []byte {
	var b strings.Builder
	r := &l.r
	fmt.Fprintf(&b, "# Learned from %s: %d packets in %s.\n", oneLine(l.o.Source), r.Packets, time.Duration(r.Span*1e9).Round(time.Second))
	fmt.Fprintf(&b, "# %.0f %% of the messages are in the activities below.\n", 100*r.Explained)
	for _, d := range r.Doubts {
		fmt.Fprintf(&b, "# Not sure of %s: %s.\n", oneLine(d.About), oneLine(d.Why))
	}
	m := l.t.MAC
	fmt.Fprintf(&b, "device: %s\nabout: A device learned from a capture.\nkind: iot\ncategory: %s\n", r.Device, l.o.Category)
	fmt.Fprintf(&b, "oui: \"%02x:%02x:%02x\"\n", m[0]&0xfe, m[1], m[2])
	fmt.Fprintf(&b, "stack: {ttl: %d, mss: %d, tcp_timestamps: %t", r.Stack.TTL, r.Stack.MSS, r.Stack.Timestamps)
	if r.Stack.Keepalive > 0 {
		fmt.Fprintf(&b, ", keepalive: %s", duration(r.Stack.Keepalive))
	}
	if r.Stack.Apart {
		b.WriteString(", apart: true")
	}
	if len(r.Stack.Acks) > 0 {
		fmt.Fprintf(&b, ", acks: %s", table(r.Stack.Acks))
	}
	b.WriteString("}\n")
	var air []string
	if len(r.Stack.Doze) > 0 {
		air = append(air, "doze: "+table(r.Stack.Doze))
	}
	if len(r.Stack.Pace) > 0 {
		air = append(air, "pace: "+series(r.Stack.Pace, r.Stack.PaceNext))
	}
	if len(air) > 0 {
		fmt.Fprintf(&b, "wifi: {%s}\n", strings.Join(air, ", "))
	}
	fmt.Fprintf(&b, "\nsources:\n  - key: %s\n    title: A capture of the device\n    file: %q\n", captureKey, cut(oneLine(l.o.Source)))
	fmt.Fprintf(&b, "    measured: %d packets in %s\n", r.Packets, time.Duration(r.Span*1e9).Round(time.Second))
	b.WriteString("\nservices:\n")
	for i := range r.Services {
		l.service(&b, &r.Services[i])
	}
	b.WriteString("\nactivities:\n")
	for i := range r.Activities {
		l.activity(&b, &r.Activities[i])
	}
	return []byte(b.String())
}

func (l *learner) service(b *strings.Builder, s *Service) {
	host := s.Host
	if s.Transport == "lan-udp" {
		host = "broadcast"
	}
	fmt.Fprintf(b, "  - name: %s\n    host: %s\n", s.Name, host)
	if s.Transport != "icmp" {
		fmt.Fprintf(b, "    port: %d\n", s.Port)
	}
	fmt.Fprintf(b, "    transport: %s\n", s.Transport)
	if s.Transport != "lan-udp" {
		fmt.Fprintf(b, "    cloud: %s\n", s.Cloud)
	}
	if s.Lasting {
		b.WriteString("    lasting: true\n")
		switch {
		case s.Transport == "udp":
		case len(s.opening) > 0:
			b.WriteString("    login:\n      messages:\n")
			items(b, s.opening, "        ")
		default:
			fmt.Fprintf(b, "    login: {up: %d, down: %d}\n", s.Login[0], s.Login[1])
		}
	}
	if s.Latency[1] > 0 {
		latency := durations(s.Latency)
		if len(s.Replies) > 0 {
			latency = table(s.Replies)
		}
		if len(s.Level) > 0 {
			latency += ", level: " + table(s.Level)
		}
		fmt.Fprintf(b, "    reply: {latency: %s}\n", latency)
	}
	fmt.Fprintf(b, "    basis: measured\n    source: %q\n", fmt.Sprintf("[%s] %d talks", captureKey, s.Talks))
}

func (l *learner) activity(b *strings.Builder, a *Activity) {
	fmt.Fprintf(b, "  - name: %s\n    trigger: timer\n", a.Name)
	r := &a.Rhythm
	if len(r.Gaps) > 0 {
		fmt.Fprintf(b, "    gaps: %s\n", series(r.Gaps, r.Next))
	} else {
		fmt.Fprintf(b, "    every: %s\n", duration(max(r.Period, 100e6)))
		if len(r.Late) > 0 {
			fmt.Fprintf(b, "    jitter: %s\n", series(r.Late, r.Next))
			if len(r.Slips) > 0 {
				fmt.Fprintf(b, "    slip: {chance: %.4g, by: %s}\n", 100*r.Slip, table(r.Slips))
			}
		} else if r.Jitter > 0 {
			fmt.Fprintf(b, "    jitter: %s\n", duration(min(r.Jitter, max(r.Period, 100e6)/2)))
		}
	}
	if a.Restart != "" {
		fmt.Fprintf(b, "    phase: %s\n    restarted_by: %s\n", table(r.First), a.Restart)
	}
	source := fmt.Sprintf("[%s] %d times, p10 %s, p50 %s, p90 %s apart", captureKey, a.Seen, duration(r.P10), duration(r.P50), duration(r.P90))
	if a.Shape != "" {
		source += "; " + a.Shape
	}
	fmt.Fprintf(b, "    basis: measured\n    source: %q\n    steps:\n", cut(source))
	fmt.Fprintf(b, "      - service: %s\n", a.Service)
	if a.Op != "dialogue" {
		fmt.Fprintf(b, "        op: %s\n", a.Op)
	}
	if len(a.items) > 0 {
		b.WriteString("        messages:\n")
		items(b, a.items, "          ")
	}
}

func items(b *strings.Builder, list []item, indent string) {
	for _, i := range list {
		if len(i.variants) > 0 {
			fmt.Fprintf(b, "%s- variants:\n", indent)
			for _, v := range i.variants {
				fmt.Fprintf(b, "%s    - weight: %d\n%s      messages:\n", indent, v.weight, indent)
				items(b, v.group, indent+"        ")
			}
			continue
		}
		if len(i.group) > 0 {
			fmt.Fprintf(b, "%s- repeat: %s\n%s  messages:\n", indent, numbers(i.repeat), indent)
			items(b, i.group, indent+"    ")
			continue
		}
		dir := "down"
		if i.up {
			dir = "up"
		}
		fmt.Fprintf(b, "%s- {%s: %s", indent, dir, numbers(i.size))
		if i.waits && len(i.table) > 0 {
			fmt.Fprintf(b, ", wait: %s", series(i.table, i.next))
		} else if i.waits {
			fmt.Fprintf(b, ", wait: %s", durations(i.wait))
		}
		if i.repeat != [2]int{1, 1} {
			fmt.Fprintf(b, ", repeat: %s", numbers(i.repeat))
		}
		b.WriteString("}\n")
	}
}

func numbers(r [2]int) string {
	if r[0] == r[1] {
		return fmt.Sprint(r[0])
	}
	return fmt.Sprintf("[%d, %d]", r[0], r[1])
}

func durations(r [2]int64) string {
	if r[0] == r[1] {
		return duration(r[0])
	}
	return fmt.Sprintf("[%s, %s]", duration(r[0]), duration(r[1]))
}

// table writes quantiles.
func table(q []int64) string {
	parts := make([]string, len(q))
	for i, v := range q {
		parts[i] = duration(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// series writes quantiles, with the chain if there is one.
func series(q []int64, next [][]int64) string {
	if len(next) == 0 {
		return table(q)
	}
	rows := make([]string, len(next))
	for i, r := range next {
		rows[i] = strings.ReplaceAll(fmt.Sprint(r), " ", ", ")
	}
	return fmt.Sprintf("{table: %s, next: [%s]}", table(q), strings.Join(rows, ", "))
}

// duration writes whole microseconds.
func duration(ns int64) string { return time.Duration(ns).Round(time.Microsecond).String() }

// oneLine makes a text that cannot leave its comment or string.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "a capture"
	}
	return s
}

// cut keeps a source within what a profile allows.
func cut(s string) string { return s[:min(len(s), 500)] }
