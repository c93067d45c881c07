package dataset_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
)

// croissant.json names every file of the homes with its hash, and every column once; README.md has them, too.
func TestCard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	writeSet(t, dir, 20, false)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Distribution []struct {
			Type   string `json:"@type"`
			ID     string `json:"@id"`
			URL    string `json:"contentUrl"`
			SHA256 string `json:"sha256"`
			Format string `json:"encodingFormat"`
		}
		RecordSet []struct {
			Field []struct {
				ID     string `json:"@id"`
				Source struct {
					FileSet struct {
						ID string `json:"@id"`
					}
				}
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, dataset.FileCroissant))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	files, ids := 0, map[string]bool{}
	for _, f := range doc.Distribution {
		if ids[f.ID] || f.Format == "" {
			t.Errorf("%+v", f)
		}
		ids[f.ID] = true
		if f.Type == "cr:FileObject" { // the standard asks each for a hash
			files++
			if f.SHA256 == "" || d.Manifest.Files[f.URL] != f.SHA256 {
				t.Errorf("%+v", f)
			}
		}
	}
	if files != 4 {
		t.Errorf("%d files", files)
	}
	fields := 0
	for _, s := range doc.RecordSet {
		for _, f := range s.Field {
			if ids[f.ID] || !ids[f.Source.FileSet.ID] {
				t.Errorf("%+v", f)
			}
			ids[f.ID] = true
			fields++
		}
	}
	if want := 2 + len(dataset.PacketColumns()) + len(dataset.EventColumns()); fields != want {
		t.Errorf("%d fields, want %d", fields, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, dataset.FileCard))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(dataset.PacketColumns(), dataset.EventColumns()...) {
		if !strings.Contains(string(text), "| "+c.Name+" | "+c.Type+" |") {
			t.Errorf("the card lacks %s", c.Name)
		}
	}
}
