package activity_test

import (
	"slices"
	"testing"

	"glasshouse/classifier/activity"
	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
)

// What somebody sets off is something that the classifier tells from idling, whichever device of the catalogue does it.
func TestActivitiesOfTheCatalogueAreTold(t *testing.T) {
	quiet := []string{"query-local", "query-remote", "firmware-update"} // an app asks a plug for its state, as often as it is open; a device looks for software at night
	seen := make(map[string]bool)
	for _, name := range catalogue.Names() {
		p, err := catalogue.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Activities {
			seen[a.Name] = true
			idle := activity.Group(a.Name) == activity.Idle
			byItself := a.Trigger == profile.TriggerTimer || a.Trigger == profile.TriggerBoot
			if want := byItself || slices.Contains(quiet, a.Name); idle != want {
				t.Errorf("%s: %s, set off by %s, counts as %s", name, a.Name, a.Trigger, activity.Group(a.Name))
			}
		}
	}
	for _, name := range quiet {
		if !seen[name] {
			t.Errorf("no device does %s any more", name)
		}
	}
}
