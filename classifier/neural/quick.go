package neural

import "glasshouse/classifier/model"

// Quick returns a model that labels as m does, nearly, in less time a packet, if there is such a one, and else m: of an LSTM, one
// whose weights are rounded to 8 bits and whose outputs are to 16. Of 486,000 packets of eight unseen noisy homes behind WireGuard it called
// 58 something else, of 468,000 behind NAPT 355, 328 of them in one stretch in which the exact one wavers between two classes; 0.001 and 0.016
// points fewer were right. A probability was 0.06 and 0.47 off at most, one packet in 1,500 and one in 170 had one more than 0.01 off.
// Scores are of the exact one.
func Quick(m model.Model) model.Model {
	n, ok := m.(*Model)
	if !ok || n.meta.Kind != model.KindLSTM {
		return m
	}
	q := *n
	q.quick = true
	return &q
}
