// Package frames reads captures as people have them: pcap and pcapng, compressed or not, of many link types, and gives the IP packets in
// them, with an account of every frame that it leaves out.
//
// It knows no device and no home: who a packet belongs to is told by a Matcher, and what is done with it is the caller's. Lengths come from
// the IP header, so that trailers, padding and frame check sequences are not counted. Memory does not grow with the capture. A Reader is
// used by one goroutine. Not read: encrypted Wi-Fi frames, and what stands behind tunnels (GRE, VXLAN, MPLS).
package frames

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Record is a captured frame as it stands in a file, or as an interface gave it.
type Record struct {
	Number int64 // in the capture, from 1
	TsNs   int64 // UTC epoch, ns
	Length int   // bytes on the wire
	Data   []byte
	Link   uint16 // link type (tcpdump.org/linktypes.html)
}

// Frame is an IP packet of a capture. Its bytes are valid until the next one is read.
type Frame struct {
	Header
	Number         int64
	At             int64 // UTC epoch, ns
	SrcMAC, DstMAC [6]byte
	HasSrc, HasDst bool   // whether the link names its stations; cooked captures name the sender alone
	IP             []byte // as much of the packet as was kept, without padding
	Length         int    // bytes of the packet; of one that a network card was to cut, or joined, more than a frame carries
}

// Reasons for which a frame is left out. More may come; each is a key of LeftOut.
const (
	LinkType     = "link_type"    // of a link type that is not read
	NotIP        = "not_ip"       // ARP, EAPOL, spanning tree and the like
	Malformed    = "malformed"    // an IP header that cannot be, or a frame that is shorter than its packet
	HeaderCut    = "header_cut"   // so little was kept of it that its headers are not there
	CutOff       = "cut_off"      // the capture ends within it
	NoTime       = "no_time"      // a simple packet block of pcapng
	Copy         = "copy"         // captured twice, as two mirrored ports do
	OtherDevice  = "other_device" // of another device than was asked for
	IPv6         = "ipv6"         // of the device that was asked for by its IPv4 address
	StaysLocal   = "stays_local"  // does not cross the gateway
	LoneFragment = "lone_fragment"
)

var reasonTexts = map[string]string{
	LinkType: "of a link type that is not read", NotIP: "not IP", Malformed: "malformed", HeaderCut: "cut before the end of their headers",
	CutOff: "cut off where the capture ends", NoTime: "without a time", Copy: "copies of the frame before", OtherDevice: "of other devices",
	IPv6: "IPv6, of a device that was named by its IPv4 address", StaysLocal: "that stay in the home",
	"tunnel_queue_full": "lost by WireGuard's queue before its handshake", "tunnel_no_handshake": "lost by WireGuard without a handshake",
	LoneFragment: "fragments of datagrams whose first fragment is missing",
}

// LeftOut counts frames that were left out, by reason.
type LeftOut map[string]int64

// Add adds what another account counts.
func (l LeftOut) Add(o LeftOut) {
	for reason, n := range o {
		l[reason] += n
	}
}

// Total is the number of frames left out.
func (l LeftOut) Total() (n int64) {
	for _, k := range l {
		n += k
	}
	return n
}

// String lists the reasons for people, the most frequent first; "" where nothing was left out.
func (l LeftOut) String() string {
	reasons := slices.SortedFunc(maps.Keys(l), func(a, b string) int {
		if l[a] != l[b] {
			return int(l[b] - l[a])
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, r := range reasons {
		text := reasonTexts[r]
		if text == "" {
			text = strings.ReplaceAll(r, "_", " ")
		}
		parts = append(parts, fmt.Sprintf("%d %s", l[r], text))
	}
	return strings.Join(parts, ", ")
}

// Errors of captures that cannot be used. Every error of this package means that the input is not what was expected.
var (
	ErrEmpty   = errors.New("the capture holds no frame")
	ErrNoTimes = errors.New("the capture has no times: it is made of simple packet blocks; save it with enhanced packet blocks, as dumpcap does")
	ErrLink    = errors.New("no frame of the capture is of a link type that is read: Ethernet, Linux cooked, raw IP, BSD loopback, PPP")
)

// InputError is a capture that cannot be read.
type InputError struct {
	Path string
	Err  error
}

func (e *InputError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// Reader gives the IP packets of a capture in the order of the file.
type Reader struct {
	src     *source
	raw     *container
	dec     Decoder
	clock   Clock
	note    string // where the capture was cut
	first   int64
	started bool
	err     error // what the capture ended with
}

// Open opens a capture: a path, or "-" for standard input. A file that gzip compressed is told by its first bytes.
func Open(path string) (*Reader, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(src)
	if err != nil {
		_ = src.Close()
		return nil, err
	}
	return r, nil
}

func newReader(src *source) (*Reader, error) {
	raw, err := newContainer(src)
	if err != nil {
		return nil, &InputError{src.name, err}
	}
	return &Reader{src: src, raw: raw, dec: NewDecoder()}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.src.Close() }

// Record returns the next frame as it stands in the file; io.EOF after the last whole one. A capture that ends within a frame is read up to
// there: the account counts it, and Notes say where.
func (r *Reader) Record() (Record, error) {
	for r.err == nil {
		rec, err := r.raw.next()
		var cut *cutError
		switch {
		case err == nil && rec.TsNs == noTime:
			r.dec.left[NoTime]++
			continue
		case err == nil:
			if !r.started || rec.TsNs < r.first {
				r.first, r.started = rec.TsNs, true
			}
			r.clock.see(rec.TsNs)
			return rec, nil
		case errors.As(err, &cut):
			r.note = cut.Error()
			r.dec.left[CutOff]++
			r.err = io.EOF
		case errors.Is(err, io.EOF):
			r.err = io.EOF
		default:
			r.err = &InputError{r.src.name, err}
		}
		if r.err == io.EOF && !r.started { //nolint:errorlint // the value was set above
			if r.err = (&InputError{r.src.name, ErrEmpty}); r.dec.left[NoTime] > 0 {
				r.err = &InputError{r.src.name, ErrNoTimes}
			}
		}
	}
	return Record{}, r.err
}

// Next returns the next IP packet; io.EOF after the last.
func (r *Reader) Next() (*Frame, error) {
	for {
		rec, err := r.Record()
		if err != nil {
			if err == io.EOF && r.dec.Unread() { //nolint:errorlint // Record returns it unwrapped
				return nil, &InputError{r.src.name, ErrLink}
			}
			return nil, err
		}
		if f, ok := r.dec.Decode(rec); ok {
			return f, nil
		}
	}
}

// First is the time of the earliest frame so far, UTC epoch, ns.
func (r *Reader) First() int64 { return r.first }

// Frames is how many frames were met, the one that was cut off not counted.
func (r *Reader) Frames() int64 { return r.raw.packets }

// LeftOut counts what was left out so far.
func (r *Reader) LeftOut() LeftOut { return r.dec.left }

// Notes say what a user should know of the capture: where it was cut, and what is odd about its times.
func (r *Reader) Notes() []string {
	notes := r.clock.Notes()
	if r.note != "" {
		notes = append([]string{r.note}, notes...)
	}
	return notes
}

// Sum hashes the whole file as it is stored; it reads what is left of it. Nothing can be read afterwards.
func (r *Reader) Sum() ([]byte, error) {
	r.err = io.EOF
	return r.src.sum()
}
