package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/testbed/dataset"
)

func TestCaptureBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w, err := Create(path, LinkEthernet, "wan", `{"seed":1}`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Append(1767571200_000000001, []byte{1, 2, 3}, []byte{4, 5}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("\x0a\x0d\x0d\x0a\x40\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff" +
		"\x01\x00\x0a\x00{\"seed\":1}\x00\x00\x04\x00\x0a\x00glasshouse\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00" +
		"\x01\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00\x00\x04\x00\x02\x00\x03\x00wan\x00\x09\x00\x01\x00\x09\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00" +
		"\x06\x00\x00\x00\x28\x00\x00\x00\x00\x00\x00\x00\xea\xb1\x87\x18\x01\x00\x8b\x24\x05\x00\x00\x00\x05\x00\x00\x00\x01\x02\x03\x04\x05\x00\x00\x00\x28\x00\x00\x00")
	ts := uint64(1767571200_000000001)
	binary.LittleEndian.PutUint32(want[len(want)-28:], uint32(ts>>32))
	binary.LittleEndian.PutUint32(want[len(want)-24:], uint32(ts))
	if !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func readAll(path string) (frames [][]byte, end error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, bytes.Clone(f.Data))
	}
}

// A capture that is cut anywhere gives all packets that are whole, and says where it was cut.
func TestCaptureCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.pcapng")
	w, err := Create(path, LinkEthernet, "wan", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int64
	for i := range 20 {
		if _, err := w.Append(int64(i), make([]byte, 14), bytes.Repeat([]byte{byte(i)}, i*7)); err != nil {
			t.Fatal(err)
		}
		if err := <-w.Barrier(); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, st.Size())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.pcapng")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(int(ends[0])-8, len(whole)).Draw(t, "bytes")
		if err := os.WriteFile(cut, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, e := range ends {
			if e <= int64(n) {
				want++
			}
		}
		frames, err := readAll(cut)
		var ce *CutError
		if n != len(whole) && (want == 0 || ends[want-1] != int64(n)) && !errors.As(err, &ce) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if len(frames) != want {
			t.Fatalf("cut at %d: %d packets, want %d (%v)", n, len(frames), want, err)
		}
	})
}

func TestForeignClassicCaptures(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d} {
			b := order.AppendUint32(nil, magic)
			b = append(b, make([]byte, 12)...)
			b = order.AppendUint32(b, 65535)
			b = order.AppendUint32(b, 1)
			for _, v := range []uint32{10, 20, 3, 60} {
				b = order.AppendUint32(b, v)
			}
			b = append(b, 7, 8, 9)
			path := filepath.Join(t.TempDir(), "x.pcap")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := r.Read()
			_ = r.Close()
			want := int64(10e9 + 20e3)
			if magic == 0xa1b23c4d {
				want = 10e9 + 20
			}
			if err != nil || f.TsNs != want || f.Length != 60 || !bytes.Equal(f.Data, []byte{7, 8, 9}) {
				t.Errorf("%v %x: %+v %v", order, magic, f, err)
			}
		}
	}
}

// Real captures of others are read to their end. They are not part of the project: the test runs where they are.
func TestRealCaptures(t *testing.T) {
	root := os.Getenv("GLASSHOUSE_REALDATA")
	if root == "" {
		root = "../../../shared/realdata"
	}
	files, packets := 0, 0
	for _, pattern := range []string{"*/*.pcap*", "*/*/*.pcap*", "*/*/*/*.pcap*", "*/*/*/*/*.pcap*"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			frames, err := readAll(p)
			var cut *CutError
			if err != nil && !errors.As(err, &cut) && !strings.Contains(err.Error(), "link type") && !strings.Contains(err.Error(), "neither pcapng nor pcap") {
				t.Errorf("%v", err)
			}
			parser := dataset.NewParser()
			for _, f := range frames {
				parser.Observe(0, 1, f)
			}
			files, packets = files+1, packets+len(frames)
		}
	}
	t.Logf("%d captures, %d packets", files, packets)
}

// A foreign pcapng in big-endian order, with a resolution of 2^-20 s, the obsolete packet block and the simple one.
func TestForeignPcapng(t *testing.T) {
	e := binary.BigEndian
	block := func(kind uint32, body []byte) []byte {
		b := e.AppendUint32(nil, kind)
		b = e.AppendUint32(b, uint32(12+len(body)))
		return e.AppendUint32(append(b, body...), uint32(12+len(body)))
	}
	section := append(e.AppendUint32(nil, byteOrderMagic), 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	file := block(blockSection, section)
	file = append(file, block(blockInterface, []byte{0, 1, 0, 0, 0, 0, 0, 3, 0, 9, 0, 1, 0x80 | 20, 0, 0, 0, 0, 0, 0, 0})...)
	file = append(file, block(0x80000001, []byte{1, 2, 3, 4})...) // unknown: passed over
	ticks := uint64(1767571200)<<20 | 1<<19
	body := append(e.AppendUint64([]byte{0, 0, 0, 7}, ticks), 0, 0, 0, 2, 0, 0, 0, 60, 8, 9, 0, 0)
	file = append(file, block(blockOldPacket, body)...)
	file = append(file, block(blockSimple, []byte{0, 0, 0, 40, 1, 2, 3, 4})...)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	old, err := r.Read()
	if err != nil || old.TsNs != 1767571200_500000000 || old.Length != 60 || !bytes.Equal(old.Data, []byte{8, 9}) {
		t.Errorf("%+v %v", old, err)
	}
	simple, err := r.Read()
	if err != nil || simple.Length != 40 || !bytes.Equal(simple.Data, []byte{1, 2, 3}) {
		t.Errorf("%+v %v", simple, err)
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestSnaplen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w, err := Create(path, LinkEthernet, "wan", "", 60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(1, make([]byte, 14), make([]byte, 1400)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, err := r.Read(); err != nil || f.Length != 1414 || len(f.Data) != 60 {
		t.Errorf("%d of %d bytes, %v", len(f.Data), f.Length, err)
	}
}

func TestCommentTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if _, err := Create(path, LinkEthernet, "wan", strings.Repeat("x", 1<<16), 0); err == nil {
		t.Error("a comment that no option can hold was written")
	}
}

func BenchmarkCaptureWrite(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "x"), LinkEthernet, "wan", "", 0)
	if err != nil {
		b.Fatal(err)
	}
	head, body := make([]byte, 14), make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Append(1, head, body); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
