package dataset

import (
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset/parquetfile"
)

// packetRecord is a row of packets.parquet. The columns are the contract's.
type packetRecord struct {
	TsNs          int64  `parquet:"ts_ns,delta"`
	Frame         int64  `parquet:"frame,delta"`
	Dir           int8   `parquet:"dir,dict"`
	Length        int32  `parquet:"length,dict"`
	IPProto       uint8  `parquet:"ip_proto,dict"`
	LocalPort     uint16 `parquet:"local_port,dict"`
	RemotePort    uint16 `parquet:"remote_port,dict"`
	TCPFlags      uint8  `parquet:"tcp_flags,dict"`
	RemoteAddr    string `parquet:"remote_addr,dict"`
	PayloadLength int32  `parquet:"payload_length,dict"`
	AppProto      string `parquet:"app_proto,dict"`

	Device   string `parquet:"label_device,dict"`
	Unit     string `parquet:"label_unit,dict"`
	Class    string `parquet:"label_class,dict"`
	Kind     string `parquet:"label_kind,dict"`
	Category string `parquet:"label_category,dict"`
	Activity string `parquet:"label_activity,dict"`
	Role     string `parquet:"label_role,dict"`
	Event    *int64 `parquet:"label_event,optional"`
	LANFrame *int64 `parquet:"label_lan_frame,optional"`
	Lost     bool   `parquet:"label_lost"`
}

// PacketRecord and EventRecord are what the files' writers are given. They are aliases because a Parquet schema bears the name of its
// type, and equal runs have equal files.
type (
	// PacketRecord is a row of packets.parquet.
	PacketRecord = packetRecord
	// EventRecord is a row of events.parquet.
	EventRecord = eventRecord
)

// eventRecord is a row of events.parquet.
type eventRecord struct {
	Event    int64  `parquet:"event,delta"`
	Device   string `parquet:"device,dict"`
	Unit     string `parquet:"unit,dict"`
	Activity string `parquet:"activity,dict"`
	Trigger  string `parquet:"trigger,dict"`
	Actor    string `parquet:"actor,dict"`
	TScript  int64  `parquet:"t_script_ns"`
	TStart   *int64 `parquet:"t_start_ns,optional"`
	TEnd     *int64 `parquet:"t_end_ns,optional"`
	Outcome  string `parquet:"outcome,dict"`
	Kit      string `parquet:"kit,dict"`
}

func (rec *PacketRecord) row() Row {
	r := Row{
		Observation: Observation{
			TsNs: rec.TsNs, Frame: rec.Frame, Dir: rec.Dir, Length: rec.Length, IPProto: rec.IPProto, LocalPort: rec.LocalPort,
			RemotePort: rec.RemotePort, TCPFlags: rec.TCPFlags, RemoteAddr: rec.RemoteAddr, PayloadLength: rec.PayloadLength,
			AppProto: rec.AppProto,
		},
		Label: Label{
			Device: rec.Device, Unit: rec.Unit, Class: rec.Class, Kind: rec.Kind, Category: rec.Category,
			Activity: rec.Activity, Role: rec.Role, Event: packet.EventNone, Lost: rec.Lost,
		},
	}
	if rec.Event != nil {
		r.Event = *rec.Event
	}
	if rec.LANFrame != nil {
		r.LANFrame = *rec.LANFrame
	}
	return r
}

func nullable(v int64) *int64 {
	if v < 0 {
		return nil
	}
	return &v
}

// Record is the row of events.parquet.
func (e *Event) Record() EventRecord {
	return EventRecord{
		Event: e.Event, Device: e.Device, Unit: e.Unit, Activity: e.Activity, Trigger: e.Trigger, Actor: e.Actor,
		TScript: e.TScript, TStart: nullable(e.TStart), TEnd: nullable(e.TEnd), Outcome: e.Outcome, Kit: e.Kit,
	}
}

func (rec *EventRecord) event() Event {
	e := Event{
		Event: rec.Event, Device: rec.Device, Unit: rec.Unit, Activity: rec.Activity, Trigger: rec.Trigger, Actor: rec.Actor,
		TScript: rec.TScript, TStart: -1, TEnd: -1, Outcome: rec.Outcome, Kit: rec.Kit,
	}
	if rec.TStart != nil {
		e.TStart = *rec.TStart
	}
	if rec.TEnd != nil {
		e.TEnd = *rec.TEnd
	}
	return e
}

// ReadRows gives the rows of a packets.parquet in order. The row is valid until yield returns.
func ReadRows(path string, yield func(*Row) error) error {
	var r Row
	return parquetfile.Read(path, func(rec *PacketRecord) error {
		r = rec.row()
		return yield(&r)
	})
}

// ReadEvents gives the rows of an events.parquet in order.
func ReadEvents(path string, yield func(*Event) error) error {
	return parquetfile.Read(path, func(rec *EventRecord) error {
		e := rec.event()
		return yield(&e)
	})
}
