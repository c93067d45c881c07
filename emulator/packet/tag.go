package packet

// Tag says what bytes belong to: the part of a lineage that is not the device. A host knows it before it sends them.
type Tag struct {
	Event    int64  // key of the event, or EventNone
	Activity uint16 // index into the run's vocabulary of activities
	Role     Role
}

// As returns the tag with another role.
func (t Tag) As(r Role) Tag {
	t.Role = r
	return t
}

// Lineage returns the lineage of a device's packet that carries the bytes.
func (t Tag) Lineage(unit int32) Lineage {
	return Lineage{Unit: unit, Event: t.Event, Activity: t.Activity, Role: t.Role}
}
