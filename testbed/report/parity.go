package report

import (
	"fmt"
	"io"

	"glasshouse/classifier/evaluate"
	"glasshouse/testbed/parity"
	"glasshouse/testbed/plain"
)

// WriteParity prints the differences between two worlds that ran the same script; each block explains its figures.
func WriteParity(w io.Writer, p *parity.Result) error {
	t := plain.NewTable(w)
	a, b := p.Worlds[0], p.Worlds[1]
	if a == b {
		a, b = a+" (first)", b+" (second)"
	}
	fmt.Fprintf(t, "%s, %s: %s compared with %s\n", p.Scenario, seeds(p.Seeds), a, b)
	writeScript(t, &p.Script)
	writeMessages(t, &p.Messages)
	fmt.Fprintf(t, "\nTiming and sizes. KS: largest distance between the distribution functions, 0 to 1. W1: Wasserstein distance, in the row's unit.\n\n")
	fmt.Fprintf(t, "\tn\t\tmedian\t\t90 %%\t\tKS\tW1\n")
	for _, d := range p.Timing {
		fmt.Fprintf(t, "%s, %s\t%d\t%d\t%.4g\t%.4g\t%.4g\t%.4g\t%.3f\t%.3g\n",
			d.Name, d.Unit, d.N[0], d.N[1], d.Medians[0], d.Medians[1], d.P90[0], d.P90[1], d.KS, d.W1)
	}
	writeTest(t, p.Test)
	writeTransfer(t, p.Transfer, a, b)
	fmt.Fprintf(t, "\nPackets per home, by role. Roles that the network causes (ack, retransmission, reconnect) may differ.\n\n")
	fmt.Fprintf(t, "device\trole\t%s\t%s\t\n", a, b)
	for _, r := range p.Roles {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.1f\t%s\n", r.Device, r.Role, r.Packets[0], r.Packets[1], change(r.Packets))
	}
	return t.Flush()
}

func seeds(s []uint64) string {
	if len(s) == 1 {
		return fmt.Sprintf("seed %d", s[0])
	}
	return plain.Count(len(s), "pair")
}

func writeScript(w io.Writer, s *parity.Script) {
	fmt.Fprint(w, "\nScript. Both worlds must have the same activities of the same units at the same scripted times.\n")
	if s.Equal {
		fmt.Fprintf(w, "equal: %s\n", plain.Count(s.Events, "event"))
		return
	}
	fmt.Fprintf(w, "NOT equal: %d of %d events differ; the first: %s\n", s.Differing, s.Events, s.First)
}

// listedFlows is the number of differing streams that are printed; the JSON has more.
const listedFlows = 8

func writeMessages(w io.Writer, m *parity.Messages) {
	fmt.Fprint(w, "\nMessages. The data of each event to each remote endpoint, reassembled from the LAN captures.\n")
	if !m.Compared {
		fmt.Fprint(w, "not compared: a side has no LAN capture\n")
		return
	}
	fmt.Fprintf(w, "%d of %d streams are equal, message by message; %d have the same total of bytes", m.Equal, m.Streams, m.SameBytes)
	if m.WireApart > 0 {
		fmt.Fprintf(w, "; on the wire %d differ by more than TLS records can", m.WireApart)
	}
	fmt.Fprintf(w, "\n%d and %d datagrams; %d and %d of the other side's are missing (lost or never sent)\n",
		m.Datagrams[0], m.Datagrams[1], m.Missing[0], m.Missing[1])
	fmt.Fprintf(w, "%d events succeeded on both sides; %d and %d failed on one side only\n", m.Events, m.Failed[0], m.Failed[1])
	for i := range m.Differing[:min(len(m.Differing), listedFlows)] {
		fmt.Fprintf(w, "  %s\n", m.Differing[i].String())
	}
	if more := m.Streams - m.Equal - min(len(m.Differing), listedFlows); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// listedFeatures is the number of distinguishing features that are printed.
const listedFeatures = 10

func writeTest(w io.Writer, t *parity.TwoSampleTest) {
	fmt.Fprint(w, "\nTwo-sample test. A forest is trained on some homes to classify 100 packets by side, and tested on others.\n")
	if t == nil {
		fmt.Fprint(w, "not run: it requires at least two pairs with 100 packets or more after the start-up\n")
		return
	}
	fmt.Fprintf(w, "AUC %.3f, 95 %% interval over runs %.3f to %.3f (0.5: chance; 1: always correct), %d and %d windows of %d and %d runs\n",
		t.AUC, t.Low, t.High, t.Windows[0], t.Windows[1], t.Runs[0], t.Runs[1])
	fmt.Fprint(w, "\nmost distinguishing features: the probability that a value is larger on the second side, and the medians\n\n")
	for _, f := range t.Features[:min(len(t.Features), listedFeatures)] {
		fmt.Fprintf(w, "%s\t%.3f\t%.4g\t%.4g\n", f.Name, f.AUC, f.Medians[0], f.Medians[1])
	}
}

// writeTransfer prints the loss of a model that was trained on the second side and is used on the first.
func writeTransfer(w io.Writer, r *evaluate.TransferResult, a, b string) {
	fmt.Fprintf(w, "\nTransfer. One forest is trained on %s homes and one on their %s twins; both are scored on held-out %s homes.\n", a, b, a)
	if r == nil {
		fmt.Fprint(w, "not run: it requires at least six pairs\n")
		return
	}
	fmt.Fprintf(w, "macro-F1 %.3f and %.3f: a loss of %.1f points, 95 %% interval over %s %.1f to %.1f; accuracy %.1f %% and %.1f %%\n",
		r.MacroF1[0], r.MacroF1[1], 100*r.Loss, plain.Count(r.Homes, "home"), 100*r.Low, 100*r.High, 100*r.Accuracy[0], 100*r.Accuracy[1])
	fmt.Fprintf(w, "%d packets scored; trained on %d and %d packets; means over %d seeds, whose losses are", r.Scored, r.Learned[0], r.Learned[1], len(r.BySeed))
	for _, s := range r.BySeed {
		fmt.Fprintf(w, " %.1f", 100*s.Loss)
	}
	fmt.Fprintf(w, " points\n\nF1 of\ttrained on %s\ton %s\tpackets\n", a, b)
	for _, c := range r.PerClass {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%d\n", c.Class, c.F1[0], c.F1[1], c.Support)
	}
}

// change is the relative difference of the second side; "" up to 10 % or one packet.
func change(n [2]float64) string {
	d := n[1] - n[0]
	if max(d, -d) <= max(1, n[0]/10) {
		return ""
	}
	if n[0] == 0 {
		return "only there"
	}
	return fmt.Sprintf("%+.0f %%", 100*d/n[0])
}
