package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/parquet-go/parquet-go"

	"glasshouse/emulator/packet"
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

// batchRows is how many rows the library is handed at once.
const batchRows = 4096

// parquetWriter writes records in batches.
type parquetWriter[T any] struct {
	f     *os.File
	w     *parquet.GenericWriter[T]
	batch []T
	group int
}

func createParquet[T any](path string) (*parquetWriter[T], error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	w := parquet.NewGenericWriter[T](f, parquet.CreatedBy("glasshouse", "1", ""))
	return &parquetWriter[T]{f: f, w: w, batch: make([]T, 0, batchRows)}, nil
}

func (w *parquetWriter[T]) add(r T) error {
	w.batch = append(w.batch, r)
	if len(w.batch) == batchRows {
		return w.flush()
	}
	return nil
}

func (w *parquetWriter[T]) flush() error {
	if _, err := w.w.Write(w.batch); err != nil {
		return err
	}
	w.group += len(w.batch)
	w.batch = w.batch[:0]
	if w.group >= groupRows {
		w.group = 0
		return w.w.Flush()
	}
	return nil
}

func (w *parquetWriter[T]) close() error {
	return errors.Join(w.flush(), w.w.Close(), w.f.Close())
}

func (rec *packetRecord) row() Row {
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

func (e *Event) record() eventRecord {
	return eventRecord{
		Event: e.Event, Device: e.Device, Unit: e.Unit, Activity: e.Activity, Trigger: e.Trigger, Actor: e.Actor,
		TScript: e.TScript, TStart: nullable(e.TStart), TEnd: nullable(e.TEnd), Outcome: e.Outcome, Kit: e.Kit,
	}
}

func (rec *eventRecord) event() Event {
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
	return readParquet(path, func(rec *packetRecord) error {
		r = rec.row()
		return yield(&r)
	})
}

// ReadEvents gives the rows of an events.parquet in order.
func ReadEvents(path string, yield func(*Event) error) error {
	return readParquet(path, func(rec *eventRecord) error {
		e := rec.event()
		return yield(&e)
	})
}

// readParquet gives the rows of a file in order.
func readParquet[T any](path string, yield func(*T) error) (err error) {
	var names []string
	for _, c := range parquet.SchemaOf(new(T)).Columns() {
		names = append(names, c[0])
	}
	batch := make([]T, batchRows)
	return readGroups(path, names, func(f *parquet.File) error {
		r := parquet.NewGenericReader[T](f)
		defer r.Close()
		for {
			n, err := r.Read(batch)
			for i := range batch[:n] {
				if err := yield(&batch[i]); err != nil {
					return &yieldError{err}
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			clear(batch)
		}
	})
}

// yieldError carries an error of who reads the rows past the wrapping of the file's own.
type yieldError struct{ error }

// readGroups gives the named columns of a file, row group by row group. What is wrong with the file names its path.
func readGroups(path string, names []string, yield func(*parquet.File) error) (err error) {
	defer func() {
		var mine *yieldError
		switch p := recover(); { // the library panics on some damaged files
		case p != nil:
			err = fmt.Errorf("%s: not a readable Parquet file: %v", path, p)
		case errors.As(err, &mine):
			err = mine.error
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission): // those name it
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	p, err := openParquet(path)
	if err != nil {
		return err
	}
	defer p.close()
	return p.groups(names, yield)
}
