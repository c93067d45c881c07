package dataset

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
