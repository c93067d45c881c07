package label

import (
	"glasshouse/devices/script"
	"glasshouse/testbed/dataset"
)

// OutcomeCut is the outcome of an event that had not ended when the run did. Hosts report the others, "ok" and "failed".
const OutcomeCut = "cut"

// NewEvent is the row of an event that the script holds, and that has not begun.
func NewEvent(number int64, s *script.Specimen, act *script.Activity) *dataset.Event {
	return &dataset.Event{
		Event: number, Device: s.Profile.Device, Unit: s.Name, Activity: act.Name, Trigger: act.Trigger, Actor: act.Actor, Kit: act.Kit,
		TScript: act.At, TStart: -1, TEnd: -1, Outcome: OutcomeCut,
	}
}
