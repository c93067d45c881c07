package export

import (
	"bufio"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// CSV writes the rows of all homes as one CSV file, with a column home before the columns of packets.parquet: out, or
// packets.csv in the directory out. What is null there is empty here.
func CSV(d *dataset.Dataset, out string, progress func(done, of int64)) (*Result, error) {
	e, err := newExporter(d, out, "csv", ".csv", progress)
	if err != nil {
		return nil, err
	}
	path := out
	if !e.file {
		path = filepath.Join(out, "packets.csv")
	}
	return e.r, e.write(path, func(w *bufio.Writer) error {
		b := []byte("home")
		for _, c := range dataset.PacketColumns() {
			b = append(append(b, ','), c.Name...)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
		for _, h := range d.Manifest.Homes {
			if err := d.CheckFiles(h.Home, dataset.FilePackets); err != nil {
				return err
			}
		}
		return d.Rows(func(home int, r *dataset.Row) error {
			b = appendCSV(b[:0], home, r)
			e.count()
			_, err := w.Write(b)
			return err
		})
	})
}

// ObservationColumns names the columns of AppendObservation, in order: home, and what packets.parquet has of what an observer sees.
func ObservationColumns() []string {
	out := []string{"home"}
	for _, c := range dataset.PacketColumns() {
		if !strings.HasPrefix(c.Name, "label_") {
			out = append(out, c.Name)
		}
	}
	return out
}

// AppendObservation appends what an observer sees of a packet as fields of CSV, with no comma behind the last.
func AppendObservation(b []byte, home int, o *dataset.Observation) []byte {
	for _, v := range [...]int64{
		int64(home), o.TsNs, o.Frame, int64(o.Dir), int64(o.Length), int64(o.IPProto), int64(o.LocalPort), int64(o.RemotePort), int64(o.TCPFlags),
	} {
		b = append(strconv.AppendInt(b, v, 10), ',')
	}
	b = append(AppendQuoted(b, o.RemoteAddr), ',')
	b = append(strconv.AppendInt(b, int64(o.PayloadLength), 10), ',')
	return AppendQuoted(b, o.AppProto)
}

// appendCSV appends a row in the order of PacketColumns.
func appendCSV(b []byte, home int, r *dataset.Row) []byte {
	b = append(AppendObservation(b, home, &r.Observation), ',')
	text := func(s string) {
		b = append(AppendQuoted(b, s), ',')
	}
	for _, s := range [...]string{r.Device, r.Unit, r.Class, r.Kind, r.Category, r.Activity, r.Role} {
		text(s)
	}
	if r.Event != packet.EventNone {
		b = strconv.AppendInt(b, r.Event, 10)
	}
	b = append(b, ',')
	if r.LANFrame != 0 {
		b = strconv.AppendInt(b, r.LANFrame, 10)
	}
	b = append(b, ',')
	return append(strconv.AppendBool(b, r.Lost), '\n')
}

// AppendQuoted appends a text as a field of CSV, quoted where RFC 4180 asks for it.
func AppendQuoted(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// PcapML writes copies of the WAN captures with the truth in a comment on each packet, as pcapML has it:
//
//	sample_id,label,d=direction        3000000012,echo-dot,d=lan2wan
//
// The label is the device. A sample is an event of a home, home x 1,000,000,000 + event; packets of no event are one sample
// for each unit, from home x 1,000,000,000 + 999,000,000 on, in the order of the vocabulary. Directions are those of a home's
// gateway. Files are as ExportPcap names them, with the suffix .pcapng.
func PcapML(d *dataset.Dataset, out string, progress func(done, of int64)) (*Result, error) {
	e, err := newExporter(d, out, "pcapml", ".pcapng", progress)
	if err != nil {
		return nil, err
	}
	units := make(map[string]int64)
	for i, u := range d.Manifest.Vocabulary["label_unit"] {
		units[u] = int64(i)
	}
	return e.captures(dataset.FileWAN, func(w *bufio.Writer, home int) error {
		c, err := pcapng.Open(filepath.Join(d.HomePath(home), dataset.FileWAN))
		if err != nil {
			return err
		}
		defer c.Close()
		about := fmt.Sprintf("%s, seed %d, home %d: a copy with the truth in the packets' comments", d.Manifest.Scenario, d.Manifest.Seed, home)
		snaplen := d.Manifest.Snaplen
		if snaplen <= 0 {
			snaplen = pcapng.DefaultSnaplen
		}
		if _, err := w.Write(pcapng.AppendHeader(nil, pcapng.LinkEthernet, "wan", about, snaplen)); err != nil {
			return err
		}
		var comment, options, block []byte
		return dataset.ReadRows(filepath.Join(d.HomePath(home), dataset.FilePackets), func(r *dataset.Row) error {
			f, err := c.Read()
			if err != nil {
				return fmt.Errorf("row %d has no frame: %w", r.Frame, err)
			}
			comment = appendPcapML(comment[:0], home, units[r.Unit], r)
			options = pcapng.AppendOption(pcapng.AppendOption(options[:0], 1, comment), 0, nil)
			block = pcapng.AppendPacket(block[:0], f.TsNs, f.Data, nil, f.Length, len(f.Data), options)
			e.count()
			_, err = w.Write(block)
			return err
		})
	})
}

func appendPcapML(b []byte, home int, unit int64, r *dataset.Row) []byte {
	sample := int64(home) * 1_000_000_000
	if r.Event != packet.EventNone {
		sample += r.Event
	} else {
		sample += 999_000_000 + unit
	}
	b = append(strconv.AppendInt(b, sample, 10), ',')
	b = append(b, r.Device...)
	if r.Dir > 0 {
		return append(b, ",d=lan2wan"...)
	}
	return append(b, ",d=wan2lan"...)
}
