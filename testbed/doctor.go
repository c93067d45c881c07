package testbed

// DoctorReport says whether a machine can run live homes. The JSON keys are the contract's.
type DoctorReport struct {
	Live   bool          `json:"live"`
	Checks []DoctorCheck `json:"checks"`
}

// DoctorCheck is one thing that a live home needs.
type DoctorCheck struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Fix  string `json:"fix"` // what to change, where it is not ok
}

// FirstFix returns what to change first; "" where nothing is wrong.
func (r DoctorReport) FirstFix() string {
	for _, c := range r.Checks {
		if !c.OK && c.Fix != "" {
			return c.Fix
		}
	}
	return ""
}
