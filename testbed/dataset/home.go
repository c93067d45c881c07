package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// HomeOptions say how a home's files are written.
type HomeOptions struct {
	EpochNs    int64 // UTC epoch of script time 0, ns
	GatewayMAC [6]byte
	ISPMAC     [6]byte
	Comment    string   // of the captures' section headers: what the run is, without a word of truth
	Snaplen    int      // bytes kept of a frame; 0 = all
	Air        []string // radios that get a capture: RadioZigbee, RadioBLE
}

// HomeWriter writes a home's captures, rows and events as they come. LAN and WAN may be called concurrently, and so may Row
// and Event.
type HomeWriter struct {
	dir string
	o   HomeOptions

	lanMu sync.Mutex
	lan   *captureWriter
	lanTs int64

	wanMu  sync.Mutex
	wan    *captureWriter
	wanTs  int64
	parser *Parser
	frame  []byte

	airMu sync.Mutex
	air   [2]*captureWriter // by radio; nil where there is none

	rowMu  sync.Mutex
	rows   *rowJournal
	events *sink
	err    error
}

// eventChunk is smaller than a capture's: events are few.
const eventChunk = 64 << 10

// CreateHome makes a home's directory and opens its files.
func CreateHome(dir string, o HomeOptions) (*HomeWriter, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &HomeWriter{dir: dir, o: o, parser: NewParser(), frame: make([]byte, EthernetHeader, 2048)}
	var err error
	if w.lan, err = createCapture(filepath.Join(dir, FileLAN), linkEthernet, "lan", o.Comment, o.Snaplen); err != nil {
		return nil, err
	}
	if w.wan, err = createCapture(filepath.Join(dir, FileWAN), linkEthernet, "wan", o.Comment, o.Snaplen); err != nil {
		return nil, errors.Join(err, w.lan.Close())
	}
	if w.rows, err = createRowJournal(filepath.Join(dir, journalRows)); err != nil {
		return nil, errors.Join(err, w.lan.Close(), w.wan.Close())
	}
	if w.events, err = createSink(filepath.Join(dir, journalEvent), eventChunk); err != nil {
		return nil, errors.Join(err, w.lan.Close(), w.wan.Close(), w.rows.s.Close())
	}
	w.air, err = createAir(dir, &o, func(path string, r radio) (*captureWriter, error) {
		return createCapture(path, r.link, r.name, o.Comment, o.Snaplen)
	})
	if err != nil {
		return nil, errors.Join(err, w.CloseFiles())
	}
	return w, nil
}

// LAN appends a frame that passed at (ns of script time) and returns its 1-based number.
func (w *HomeWriter) LAN(at int64, frame []byte) int64 {
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
func (w *HomeWriter) WAN(at int64, dir int8, ip []byte) Observation {
	w.wanMu.Lock()
	defer w.wanMu.Unlock()
	h := w.frame[:EthernetHeader]
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
func putEthernet(h []byte, o *HomeOptions, dir int8, ip []byte) {
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
func (w *HomeWriter) Row(r *Row) {
	w.rowMu.Lock()
	defer w.rowMu.Unlock()
	if err := w.rows.write(r); err != nil && w.err == nil {
		w.err = err
	}
}

// Event appends an event.
func (w *HomeWriter) Event(e Event) {
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

func (w *HomeWriter) fail(err error) {
	w.rowMu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.rowMu.Unlock()
}

// Flush hands what was given so far to the system: labels before captures, so that a killed run has labels for what it
// captured. It waits for the disk; LAN, WAN, Row and Event do not wait for it.
func (w *HomeWriter) Flush() error {
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
func (w *HomeWriter) Close() error {
	if err := w.CloseFiles(); err != nil {
		return fmt.Errorf("writing %s: %w", w.dir, err)
	}
	return BuildParquet(w.dir)
}

// CloseFiles ends without the Parquet files, as a run that is killed then leaves a home: repair builds them from the journals.
func (w *HomeWriter) CloseFiles() error {
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
