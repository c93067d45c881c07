package generate

import (
	"slices"

	"glasshouse/devices/script"
)

// fewHomes is how many homes a worker lives until it does not matter which of them comes last.
const fewHomes = 16

// planned is which part of the duration is planned to tell how large a home is.
const planned = 8

// inOrder says in which order homes are begun: those first that are expected to take longest, so that no worker is left alone with
// one of them at the end. What a home plans for the beginning tells how large it is.
func (o *Options) inOrder(homes []int, density float64) []int {
	if o.Workers < 2 || len(homes) > fewHomes*o.Workers {
		return homes
	}
	size := make(map[int]int, len(homes))
	for _, home := range homes {
		h, err := o.Scenario.Draw(o.Seed, home)
		if err != nil { // the worker that lives it tells
			return homes
		}
		size[home] = planSize(h.Agenda(o.Duration/planned, density))
	}
	homes = slices.Clone(homes)
	slices.SortStableFunc(homes, func(a, b int) int { return size[b] - size[a] })
	return homes
}

// planSize is roughly how many packets a plan makes: two for a message, and one more for each thousand bytes.
func planSize(a *script.Agenda) int {
	n := 0
	for p, ok := a.Next(); ok; p, ok = a.Next() {
		for i := range p.Activity.Exchanges {
			for _, m := range p.Activity.Exchanges[i].Messages {
				n += 2 + m.Size/1000
			}
		}
	}
	return n
}
