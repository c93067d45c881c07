// Package doctor finds out whether this machine can run live homes, and says what to change where it cannot. It changes nothing itself.
package doctor

// Report says whether a machine can run live homes. The JSON keys are the contract's.
type Report struct {
	Live   bool    `json:"live"`
	Checks []Check `json:"checks"`
}

// Check is one thing that a live home needs.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Fix  string `json:"fix"` // what to change, where it is not ok
}

// FirstFix returns what to change first; "" where nothing is wrong.
func (r Report) FirstFix() string {
	for _, c := range r.Checks {
		if !c.OK && c.Fix != "" {
			return c.Fix
		}
	}
	return ""
}
