package write

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/parquetfile"
)

// What is written comes back, over several batches and row groups, with its nulls.
func TestParquetRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), dataset.FilePackets)
	w, err := createPackets(path)
	if err != nil {
		t.Fatal(err)
	}
	const rows = parquetfile.GroupRows + 3*4096 + 17
	var r dataset.Row
	for i := range int64(rows) {
		rowOf(&r, i)
		if err := w.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	if err := dataset.ReadRows(path, func(got *dataset.Row) error {
		rowOf(&r, n)
		n++
		if *got != r {
			return errors.New(cmp.Diff(r, *got))
		}
		return nil
	}); err != nil || n != rows {
		t.Fatalf("%d rows, %v", n, err)
	}
}

// rowOf makes a row that has everything at its limits somewhere.
func rowOf(r *dataset.Row, i int64) {
	*r = dataset.Row{
		Observation: dataset.Observation{
			TsNs: datasettest.Epoch + 1000003*i, Frame: i + 1, Dir: int8(1 - 2*(i&1)), Length: int32(60 + i%1400), IPProto: uint8(i), LocalPort: uint16(i),
			RemotePort: 65535 - uint16(i), TCPFlags: uint8(i * 7), RemoteAddr: [...]string{"198.18.1.2", "198.18.1.3", ""}[i%3], PayloadLength: int32(i % 1300), AppProto: dataset.AppTLS,
		},
		Label: dataset.Label{
			Device: "echo-dot", Unit: "echo-dot-2", Class: "echo-dot", Kind: "iot", Category: "speaker", Activity: "none", Role: "data",
			Event: i/10 - 1, LANFrame: i, Lost: i%5 == 0,
		},
	}
}

// The columns' types, as readers other than ours see them.
func TestParquetSchema(t *testing.T) {
	got := parquet.SchemaOf(dataset.PacketRecord{}).String()
	for _, want := range []string{
		"required int64 ts_ns", "required int64 frame", "required int32 dir (INT(8,true))", "required int32 length",
		"required int32 ip_proto (INT(8,false))", "required int32 local_port (INT(16,false))", "required int32 remote_port (INT(16,false))",
		"required int32 tcp_flags (INT(8,false))", "required binary remote_addr (STRING)", "required int32 payload_length",
		"required binary app_proto (STRING)", "required binary label_device (STRING)", "optional int64 label_event",
		"optional int64 label_lan_frame", "required boolean label_lost",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	documented := dataset.PacketColumns()
	for i, c := range parquet.SchemaOf(dataset.PacketRecord{}).Columns() {
		if documented[i].Name != c[0] {
			t.Errorf("column %d is %s, the card says %s", i, c[0], documented[i].Name)
		}
	}
	documented = dataset.EventColumns()
	for i, c := range parquet.SchemaOf(dataset.EventRecord{}).Columns() {
		if documented[i].Name != c[0] {
			t.Errorf("column %d of events is %s, the card says %s", i, c[0], documented[i].Name)
		}
	}
}

func BenchmarkParquetWrite(b *testing.B) {
	w, err := createPackets(filepath.Join(b.TempDir(), dataset.FilePackets))
	if err != nil {
		b.Fatal(err)
	}
	var r dataset.Row
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		rowOf(&r, i)
		i++
		if err := w.add(&r); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkParquetRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), dataset.FilePackets)
	w, err := createPackets(path)
	if err != nil {
		b.Fatal(err)
	}
	const rows = 300000
	var r dataset.Row
	for i := range int64(rows) {
		rowOf(&r, i)
		if err := w.add(&r); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := dataset.ReadRows(path, func(*dataset.Row) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
