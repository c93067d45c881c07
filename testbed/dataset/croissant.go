package dataset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// croissant writes the metadata of MLCommons' Croissant 1.0: each file of the homes with its hash, and the columns of the
// Parquet files. No licence is named: it is for the data set's maker to choose.
func croissant(m *Manifest) ([]byte, error) {
	rows := "a row for each WAN frame, in order"
	if m.HasWAN() {
		rows = "a row for each frame of " + FileWAN
	}
	distribution := []map[string]any{
		fileSet("packets-parquet", FilePackets, rows),
		fileSet("events-parquet", FileEvents, "what the household and its devices did"),
	}
	plain := strings.NewReplacer("=", "-", "/", "-") // names hold neither
	var paths []string
	for path := range m.Files {
		if strings.HasPrefix(path, "home=") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		format := "application/x-parquet"
		if strings.HasSuffix(path, ".pcapng") {
			format = "application/x-pcapng"
		}
		distribution = append(distribution, map[string]any{
			"@type": "cr:FileObject", "@id": path, "name": plain.Replace(path), "contentUrl": path, "encodingFormat": format, "sha256": m.Files[path],
		})
	}
	doc := map[string]any{
		"@context": croissantContext(), "@type": "sc:Dataset", "name": fmt.Sprintf("%s-%d", m.Scenario, m.Seed),
		"description": fmt.Sprintf("Labelled WAN packets of %s, scenario %s, seed %d%s.", homesText(len(m.Homes)), m.Scenario, m.Seed, capturesText(m)),
		"conformsTo":  "http://mlcommons.org/croissant/1.0",
		"keywords":    []string{"smart home", "IoT", "traffic analysis", "packet capture", "ground truth"}, "distribution": distribution,
		"recordSet": []map[string]any{
			recordSet("packets", "packets-parquet", "frame", PacketColumns()),
			recordSet("events", "events-parquet", "event", EventColumns()),
		},
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}

func homesText(n int) string {
	if n == 1 {
		return "an emulated smart home"
	}
	return fmt.Sprintf("%d emulated smart homes", n)
}

func capturesText(m *Manifest) string {
	switch {
	case !m.HasWAN():
		return "; without captures"
	case !m.HasLAN():
		return "; with captures of the WAN"
	}
	return ""
}

func fileSet(id, name, about string) map[string]any {
	return map[string]any{
		"@type": "cr:FileSet", "@id": id, "name": id, "description": about,
		"encodingFormat": "application/x-parquet", "includes": "home=*/" + name,
	}
}

// recordSet describes a Parquet file. Its key is the home, which is in the path, and the column key.
func recordSet(name, files, key string, columns []column) map[string]any {
	field := func(column, about, kind string, extract map[string]string) map[string]any {
		source := map[string]any{"fileSet": map[string]string{"@id": files}, "extract": extract}
		if column == "home" {
			source["transform"] = map[string]string{"regex": `home=(\d+)`}
		}
		return map[string]any{
			"@type": "cr:Field", "@id": name + "/" + column, "name": column, "description": about, "dataType": kind, "source": source,
		}
	}
	fields := []map[string]any{field("home", "the home, of the path", "sc:Integer", map[string]string{"fileProperty": "fullpath"})}
	for _, c := range columns {
		kind := "sc:Integer"
		switch c.Type {
		case "string":
			kind = "sc:Text"
		case "bool":
			kind = "sc:Boolean"
		}
		fields = append(fields, field(c.Name, c.About, kind, map[string]string{"column": c.Name}))
	}
	return map[string]any{
		"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields,
		"key": []map[string]string{{"@id": name + "/home"}, {"@id": name + "/" + key}},
	}
}

// croissantContext is the one that the standard asks for.
func croissantContext() map[string]any {
	c := map[string]any{
		"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
		"rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo",
		"data": map[string]string{"@id": "cr:data", "@type": "@json"}, "examples": map[string]string{"@id": "cr:examples", "@type": "@json"},
		"dataType": map[string]string{"@id": "cr:dataType", "@type": "@vocab"},
	}
	for _, term := range []string{
		"citeAs", "column", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isLiveDataset",
		"jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "separator",
		"source", "subField", "transform",
	} {
		c[term] = "cr:" + term
	}
	return c
}
