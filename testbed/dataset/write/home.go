// Package write makes a home's files: captures, packets.parquet and events.parquet. A Home takes what comes from many goroutines, and keeps
// journals, so that a killed run can be repaired; a DirectHome writes straight from one goroutine, for a world that can be made again.
package write

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
	"glasshouse/testbed/dataset/sink"
)

// Options say how a home's files are written.
type Options struct {
	EpochNs    int64 // UTC epoch of script time 0, ns
	GatewayMAC [6]byte
	ISPMAC     [6]byte
	Comment    string   // of the captures' section headers: what the run is, without a word of truth
	Snaplen    int      // bytes kept of a frame; 0 = all
	Air        []string // radios that get a capture: RadioZigbee, RadioBLE
}

// Home writes a home's captures, rows and events as they come. LAN and WAN may be called concurrently, and so may Row
// and Event.
type Home struct {
	dir string
	o   Options

	lanMu sync.Mutex
	lan   *pcapng.Writer
	lanTs int64

	wanMu  sync.Mutex
	wan    *pcapng.Writer
	wanTs  int64
	parser *dataset.Parser
	frame  []byte

	airMu sync.Mutex
	air   [2]*pcapng.Writer // by radio; nil where there is none

	rowMu  sync.Mutex
	rows   *rowJournal
	events *sink.Sink
	err    error
}

// eventChunk is smaller than a capture's: events are few.
const eventChunk = 64 << 10

// CreateHome makes a home's directory and opens its files.
func CreateHome(dir string, o Options) (*Home, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &Home{dir: dir, o: o, parser: dataset.NewParser(), frame: make([]byte, dataset.EthernetHeader, 2048)}
	var err error
	if w.lan, err = pcapng.Create(filepath.Join(dir, dataset.FileLAN), pcapng.LinkEthernet, "lan", o.Comment, o.Snaplen); err != nil {
		return nil, err
	}
	if w.wan, err = pcapng.Create(filepath.Join(dir, dataset.FileWAN), pcapng.LinkEthernet, "wan", o.Comment, o.Snaplen); err != nil {
		return nil, errors.Join(err, w.lan.Close())
	}
	if w.rows, err = createRowJournal(filepath.Join(dir, dataset.JournalRows)); err != nil {
		return nil, errors.Join(err, w.lan.Close(), w.wan.Close())
	}
	if w.events, err = sink.Create(filepath.Join(dir, dataset.JournalEvent), eventChunk); err != nil {
		return nil, errors.Join(err, w.lan.Close(), w.wan.Close(), w.rows.s.Close())
	}
	w.air, err = createAir(dir, &o, func(path string, r dataset.Radio) (*pcapng.Writer, error) {
		return pcapng.Create(path, r.Link, r.Name, o.Comment, o.Snaplen)
	})
	if err != nil {
		return nil, errors.Join(err, w.CloseFiles())
	}
	return w, nil
}

// LAN appends a frame that passed at (ns of script time) and returns its 1-based number.
func (w *Home) LAN(at int64, frame []byte) int64 {
	w.lanMu.Lock()
	defer w.lanMu.Unlock()
	w.lanTs = max(w.o.EpochNs+at, w.lanTs)
	n, err := w.lan.Append(w.lanTs, frame, nil)
	if err != nil {
		w.fail(err)
	}
	return n
}

// WAN appends an IP packet that passed the tap at (ns of script time), with an Ethernet header of the gateway's and the ISP
// router's addresses, and returns what an observer sees of it. Times are strictly in the order of the calls.
func (w *Home) WAN(at int64, dir int8, ip []byte) dataset.Observation {
	w.wanMu.Lock()
	defer w.wanMu.Unlock()
	h := w.frame[:dataset.EthernetHeader]
	putEthernet(h, &w.o, dir, ip)
	w.wanTs = max(w.o.EpochNs+at, w.wanTs+1)
	n, err := w.wan.Append(w.wanTs, h, ip)
	if err != nil {
		w.fail(err)
	}
	w.frame = append(h, ip...)
	o := w.parser.Observe(w.wanTs, dir, w.frame)
	o.Frame = n
	return o
}

// putEthernet writes the header of a frame between the gateway and the ISP router.
func putEthernet(h []byte, o *Options, dir int8, ip []byte) {
	dst, src := &o.ISPMAC, &o.GatewayMAC
	if dir < 0 {
		dst, src = src, dst
	}
	copy(h, dst[:])
	copy(h[6:], src[:])
	h[12], h[13] = 8, 0
	if len(ip) > 0 && ip[0]>>4 == 6 {
		h[12], h[13] = 0x86, 0xdd
	}
}

// Row appends a row; rows come in the order of their frames.
func (w *Home) Row(r *dataset.Row) {
	w.rowMu.Lock()
	defer w.rowMu.Unlock()
	if err := w.rows.write(r); err != nil && w.err == nil {
		w.err = err
	}
}

// Event appends an event.
func (w *Home) Event(e dataset.Event) {
	b, err := json.Marshal(e)
	w.rowMu.Lock()
	defer w.rowMu.Unlock()
	if err == nil {
		_, err = w.events.Write(append(b, '\n'))
	}
	if err != nil && w.err == nil {
		w.err = err
	}
}

func (w *Home) fail(err error) {
	w.rowMu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.rowMu.Unlock()
}

// Flush hands what was given so far to the system: labels before captures, so that a killed run has labels for what it
// captured. It waits for the disk; LAN, WAN, Row and Event do not wait for it.
func (w *Home) Flush() error {
	w.rowMu.Lock()
	events, rows := w.events.Barrier(), w.rows.s.Barrier()
	w.rowMu.Unlock()
	err := errors.Join(<-events, <-rows)
	w.wanMu.Lock()
	wan := w.wan.Barrier()
	w.wanMu.Unlock()
	err = errors.Join(err, <-wan)
	w.lanMu.Lock()
	lan := w.lan.Barrier()
	w.lanMu.Unlock()
	return errors.Join(err, <-lan, w.flushAir())
}

// Close writes the Parquet files and ends; what comes after it is refused. It returns the first error of the run.
func (w *Home) Close() error {
	if err := w.CloseFiles(); err != nil {
		return fmt.Errorf("writing %s: %w", w.dir, err)
	}
	return Build(w.dir)
}

// CloseFiles ends without the Parquet files, as a run that is killed then leaves a home: repair builds them from the journals.
func (w *Home) CloseFiles() error {
	w.rowMu.Lock()
	err := errors.Join(w.err, w.events.Close(), w.rows.s.Close())
	w.rowMu.Unlock()
	w.wanMu.Lock()
	err = errors.Join(err, w.wan.Close())
	w.wanMu.Unlock()
	err = errors.Join(err, w.closeAir())
	w.lanMu.Lock()
	defer w.lanMu.Unlock()
	return errors.Join(err, w.lan.Close())
}
