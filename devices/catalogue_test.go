package devices

import "testing"

func TestCatalogueParses(t *testing.T) {
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if p.Device != name {
			t.Errorf("%s.yaml describes %q", name, p.Device)
		}
	}
}
