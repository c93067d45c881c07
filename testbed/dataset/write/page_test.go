package write

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
)

const (
	claimedRows = 180
)

// claimingFile writes a small packets.parquet in which a page of a column has another body, or its header another count.
func claimingFile(t *testing.T, column, values, encoding int, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), dataset.FilePackets)
	w, err := createPackets(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range claimedRows {
		r := dataset.Row{Observation: dataset.Observation{Frame: int64(i + 1), TsNs: int64(i)}, Label: dataset.Label{Device: "x"}}
		if err := w.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	c := w.cols[column]
	c.pages = append(appendPageHeader(nil, pageData, len(body), values, encoding), body...)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPagesThatClaimMoreThanTheyHold(t *testing.T) {
	uvarint := func(prefix []byte, v ...uint64) []byte {
		for _, x := range v {
			prefix = binary.AppendUvarint(prefix, x)
		}
		return append(prefix, make([]byte, 40)...)
	}
	levels := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...) }
	const many = 1 << 30
	for name, c := range map[string]struct {
		column, values, encoding int
		body                     []byte
		want                     string
	}{
		"bit-packed indexes": {colCategory, claimedRows, encodingDictionary, uvarint([]byte{3}, many/8<<1|1), "a run of"},
		"repeated index":     {colRole, claimedRows, encodingDictionary, uvarint([]byte{3}, many<<1), "a run of"},
		"deltas":             {colTs, claimedRows, encodingDelta, uvarint(nil, 128, 4, many, 0), "encoded in a page of 180"},
		"block of deltas":    {colTs, claimedRows, encodingDelta, uvarint(nil, many, 4, claimedRows, 0), "blocks of"},
		"levels":             {colEvent, claimedRows, encodingDelta, levels(uvarint(nil, many<<1)), "a run of"},
		"values of a page":   {colLost, many, encodingPlain, make([]byte, 30), "a page of 1073741824 values where 180 are left"},
		"too few values":     {colLost, claimedRows - 1, encodingPlain, make([]byte, 30), "179 values, the row group has 180 rows"},
	} {
		path := claimingFile(t, c.column, c.values, c.encoding, c.body)
		err := datasettest.Frugally(t, name, func() error { return dataset.ReadRows(path, func(*dataset.Row) error { return nil }) })
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
