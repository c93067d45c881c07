package dataset

import "slices"

// Use says what a selection makes of a row.
type Use uint8

// Uses of rows.
const (
	UseCounted Use = iota // learned from, or scored
	UsePassed             // seen by the observer, but not counted: Row.Passed is set
	UseDropped            // as if the packet had never been there
)

// Select returns a view of the data set: the homes that homes wants (all if nil), with their rows as use makes of them (all
// counted if nil). use is called for each reading of the rows and returns what is asked of each, in order; it may change the
// labels of the row that it is given. Files are not touched.
func (d *Dataset) Select(homes func(HomeInfo) bool, use func() func(home int, r *Row) Use) *Dataset {
	v := *d
	v.use = use
	if homes != nil {
		v.Manifest.Homes = nil
		for _, h := range d.Manifest.Homes {
			if homes(h) {
				v.Manifest.Homes = append(v.Manifest.Homes, h)
			}
		}
	}
	return &v
}

// selected puts a view's selection between its rows and who reads them.
func (d *Dataset) selected(yield func(home int, r *Row) error) func(home int, r *Row) error {
	if d.use == nil {
		return yield
	}
	use := d.use()
	return func(home int, r *Row) error {
		switch use(home, r) {
		case UseDropped:
			return nil
		case UsePassed:
			r.Passed = true
		case UseCounted:
		}
		return yield(home, r)
	}
}

// Relabel returns a view whose rows are changed after the selection of d: change is called for each reading of the rows.
func (d *Dataset) Relabel(change func() func(r *Row)) *Dataset {
	v := *d
	before := d.use
	v.use = func() func(int, *Row) Use {
		use := func(int, *Row) Use { return UseCounted }
		if before != nil {
			use = before()
		}
		relabel := change()
		return func(home int, r *Row) Use {
			u := use(home, r)
			if u == UseDropped {
				return u
			}
			r.Passed = u == UsePassed
			relabel(r)
			return u
		}
	}
	return &v
}

// watchedEvery is how many rows are read before a watcher hears of them.
const watchedEvery = 1024

// Watched returns a view whose reading is watched: watch is called with the number of rows read since its last call, those that a view drops
// too, every 1024 rows and at the end of Rows. An error of it ends the reading.
func (d *Dataset) Watched(watch func(rows int64) error) *Dataset {
	v := *d
	v.watch = append(slices.Clone(d.watch), watch)
	return &v
}

// watched puts a view's watchers before who reads its rows; read tells them of the last ones.
func (d *Dataset) watched(yield func(home int, r *Row) error) (each func(home int, r *Row) error, read func() error) {
	if len(d.watch) == 0 {
		return yield, func() error { return nil }
	}
	n := int64(0)
	read = func() error {
		rows := n
		n = 0
		for _, w := range d.watch {
			if err := w(rows); err != nil {
				return err
			}
		}
		return nil
	}
	return func(home int, r *Row) error {
		if n++; n == watchedEvery {
			if err := read(); err != nil {
				return err
			}
		}
		return yield(home, r)
	}, read
}
