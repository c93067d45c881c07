package classifier

// Quick returns a model that labels as m does, nearly, in less time a packet, if there is such a one, and else m: of an LSTM, one
// whose weights and outputs are rounded to 16 bits. Of 1.18 million packets of twelve unseen noisy homes behind WireGuard it called 18
// something else; a probability was 0.035 off at most, one packet in 20,000 had one more than 0.01 off. Scores are of the exact one.
func Quick(m Model) Model {
	n, ok := m.(*NeuralModel)
	if !ok || n.meta.Kind != KindLSTM {
		return m
	}
	q := *n
	q.quick = true
	return &q
}
