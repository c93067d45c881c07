package write

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/pcapng"
)

// A disk that fails is told once the run ends, and does not stop it.
func TestFailingDisk(t *testing.T) {
	w, err := CreateHome(filepath.Join(t.TempDir(), "h"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "wan.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.wan.Close(); err != nil {
		t.Fatal(err)
	}
	if w.wan, err = pcapng.New(f, pcapng.LinkEthernet, "wan", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.WAN(1, 1, datasettest.UDP(datasettest.Home, datasettest.Cloud, 1, 2, nil))
	if err := w.Flush(); err == nil {
		t.Error("Flush does not tell")
	}
	w.WAN(2, 1, datasettest.UDP(datasettest.Home, datasettest.Cloud, 1, 2, nil))
	if err := w.Close(); err == nil {
		t.Error("Close does not tell")
	}
}

func TestTimesAndOrder(t *testing.T) {
	w, err := CreateHome(filepath.Join(t.TempDir(), "h"), Options{EpochNs: datasettest.Epoch})
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for i, at := range []int64{5, 5, 3, 100} {
		o := w.WAN(at, 1, datasettest.UDP(datasettest.Home, datasettest.Cloud, 1, 2, nil))
		if o.TsNs <= last || o.TsNs < datasettest.Epoch+at || o.Frame != int64(i+1) {
			t.Errorf("packet %d at %d: %+v after %d", i, at, o, last)
		}
		last = o.TsNs
	}
	w.Row(&dataset.Row{Observation: dataset.Observation{Frame: 2}})
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "row 2 came in the place of row 1") {
		t.Errorf("rows out of order: %v", err)
	}
}

// LAN, WAN, Row, Event and Flush run side by side: for the race detector.
func TestConcurrentWriters(t *testing.T) {
	w, err := CreateHome(filepath.Join(t.TempDir(), "h"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ip := datasettest.UDP(datasettest.Home, datasettest.Cloud, 1, 2, make([]byte, 500))
	var g sync.WaitGroup
	g.Go(func() {
		for i := range int64(5000) {
			w.LAN(i, ip)
		}
	})
	g.Go(func() {
		for i := range int64(5000) {
			w.Row(&dataset.Row{Observation: w.WAN(i, 1, ip), Label: dataset.Label{Event: packet.EventNone}})
		}
	})
	g.Go(func() {
		for i := range int64(500) {
			w.Event(dataset.Event{Event: i})
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	g.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	if err := dataset.ReadRows(filepath.Join(w.dir, dataset.FilePackets), func(*dataset.Row) error { rows++; return nil }); err != nil || rows != 5000 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestWritersAllocateNothing(t *testing.T) {
	w, err := CreateHome(t.TempDir()+"/h", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ip := datasettest.UDP(datasettest.Home, datasettest.Cloud, 4000, 443, make([]byte, 900))
	row := dataset.Row{Label: dataset.Label{Device: "x", Unit: "x", Event: packet.EventNone}}
	at := int64(0)
	if n := testing.AllocsPerRun(2000, func() {
		at++
		w.LAN(at, ip)
		row.Observation = w.WAN(at, 1, ip)
		w.Row(&row)
	}); n > 0 {
		t.Errorf("%.2f allocations a packet", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkHomeWriter(b *testing.B) {
	w, err := CreateHome(b.TempDir()+"/h", Options{})
	if err != nil {
		b.Fatal(err)
	}
	ip := datasettest.TCP(datasettest.Home, datasettest.Cloud, 4000, 443, 0x10, make([]byte, 1400))
	row := dataset.Row{Label: dataset.Label{Device: "x", Unit: "x", Event: packet.EventNone}}
	b.ReportAllocs()
	b.SetBytes(int64(len(ip)))
	at := int64(0)
	for b.Loop() {
		at++
		w.LAN(at, ip)
		row.Observation = w.WAN(at, 1, ip)
		w.Row(&row)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
