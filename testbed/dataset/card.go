package dataset

import (
	"bytes"
	"fmt"
	"text/template"
	"time"
)

// column describes a column of packets.parquet for the card and for croissant.json.
type column struct {
	Name, Type, About string
}

// PacketColumns describes the columns of packets.parquet, in order.
func PacketColumns() []column {
	return []column{
		{"ts_ns", "int64", "UTC epoch, ns; strictly increasing: the tap's order"},
		{"frame", "int64", "1-based: the frame in wan.pcapng, as Wireshark counts"},
		{"dir", "int8", "1 up (home to internet), -1 down"},
		{"length", "int32", "bytes of the frame with its Ethernet header, no FCS, no padding"},
		{"ip_proto", "uint8", "IP protocol; 0 where absent"},
		{"local_port", "uint16", "the port on the gateway's WAN side; 0 where absent"},
		{"remote_port", "uint16", "the port of the remote end; 0 where absent"},
		{"tcp_flags", "uint8", "the flags' byte; 0 where absent"},
		{"remote_addr", "string", "address of the remote end"},
		{"payload_length", "int32", "bytes above TCP or UDP"},
		{"app_proto", "string", "what this frame's own bytes show: tls http dns ntp quic mqtt wireguard dhcp, or none"},
		{"label_device", "string", "the device; gateway for the router's own traffic, internet for unsolicited packets"},
		{"label_unit", "string", "which specimen of the device"},
		{"label_class", "string", "the HomeMole paper's classes: its IoT devices, noise; otherwise the device"},
		{"label_kind", "string", "iot, phone, tablet, infrastructure"},
		{"label_category", "string", "what the device is for"},
		{"label_activity", "string", "what the device was doing"},
		{"label_role", "string", "what the packet is for"},
		{"label_event", "int64, null", "the event in events.parquet"},
		{"label_lan_frame", "int64, null", "the frame in lan.pcapng that it carries; null where there is none"},
		{"label_lost", "bool", "died after the tap"},
	}
}

// EventColumns describes the columns of events.parquet, in order.
func EventColumns() []column {
	return []column{
		{"event", "int64", "the key that label_event names"},
		{"device", "string", "the device that acts"},
		{"unit", "string", "which specimen of the device"},
		{"activity", "string", "what it does"},
		{"trigger", "string", "what made it do so; state: the device changed its state, of which the activity is the name"},
		{"actor", "string", "who did"},
		{"t_script_ns", "int64", "when the script holds it, ns since the start: equal for equal seeds; -1 where a killed run did not tell"},
		{"t_start_ns", "int64, null", "when it began, ns since the start; null where it did not"},
		{"t_end_ns", "int64, null", "when it ended, ns since the start; null where it did not"},
		{"outcome", "string", "ok, failed, cut"},
		{"kit", "string", "the sensor behind a hub that reported it, of those in the manifest; empty where none did"},
	}
}

const cardText = `# {{.M.Scenario}}, seed {{.M.Seed}}

A labelled capture of an emulated smart home's WAN, made by Glasshouse in its {{.M.World}} world, behind {{if eq .M.Path "vpn"}}a WireGuard tunnel{{else}}NAPT{{end}}.
State: **{{.M.State}}**{{if .M.Valid}}, valid{{else}}, **not valid**: {{range .M.Reasons}}{{.}}; {{end}}{{end}}. Started {{.Start}}, {{.Duration}} long; the first {{.WarmUp}} are start-up and are not scored.
{{if eq .M.TimeScale 1.0}}People act as often as in life (time scale 1).{{else}}People act {{.M.TimeScale}} times as often as in life (time scale {{.M.TimeScale}}). Protocol timers are not scaled.{{end}}

| packets | |
|---|---|
| on the LAN | {{.M.Counts.LAN}} |
| on the WAN | {{.M.Counts.WAN}} ({{.M.Counts.Up}} up, {{.M.Counts.Down}} down) |
| not attributed | {{.M.Fidelity.Unattributed}} |
| events | {{.M.Counts.Events}} |
{{if .Air}}| on the hub's radios | {{.M.Counts.Zigbee}} Zigbee, {{.M.Counts.BLE}} Bluetooth frames |
{{end}}
## Who lives here
{{if .M.Shard}}
This is a part of a run of {{.M.RunHomes}} homes ({{.M.Shard}}).
{{end}}{{range .Homes}}
Home {{.Home}} (seed {{.Seed}}), {{.Packets}} WAN packets:
{{range .Devices}}
- {{.Unit}}: {{.Name}} ({{.Kind}}, {{.Category}}), class {{.Class}}, {{.Address}}, {{.MAC}}{{end}}
{{end}}{{if .More}}
And {{.More}} homes more, each in manifest.json.
{{end}}
## Files
In each home=NNNNNN: {{if .M.HasWAN}}wan.pcapng is what an observer between the home and its ISP sees, and holds no truth{{if .M.Snaplen}} ({{.M.Snaplen}} bytes of
each frame at most){{end}}; {{if .M.HasLAN}}lan.pcapng is what the access point saw; {{if .Air}}pan-zigbee.pcapng and pan-ble.pcapng, in homes with a hub, are what
a sniffer beside it hears of its kits (the keys are in manifest.json); {{end}}{{else}}what the access point saw was not kept: label_lan_frame numbers its frames all
the same; {{end}}packets.parquet has a row for each frame of wan.pcapng, row i for frame i; {{else}}packets.parquet has a row for each WAN frame, in order: no captures
were kept, and label_lan_frame numbers LAN frames all the same; {{end}}events.parquet lists what the household and its devices did.
manifest.json has the vocabulary of every label, counts, and the sha256 of every file.

## Columns of packets.parquet
| column | type | meaning |
|---|---|---|
{{range .Columns}}| {{.Name}} | {{.Type}} | {{.About}} |
{{end}}
## Columns of events.parquet
| column | type | meaning |
|---|---|---|
{{range .Events}}| {{.Name}} | {{.Type}} | {{.About}} |
{{end}}
Columns that begin with label_, and events.parquet, are truth; a classifier must not read them. A packet's device is the interface that its frame came
from or was delivered to, followed through the router and the tunnel by its bytes, never by time.

## Reading it
` + "```sql\nSELECT label_device, count(*) FROM read_parquet('home=*/packets.parquet', hive_partitioning = true) GROUP BY 1;  -- DuckDB\n```\n" +
	"```python\nimport pandas as pd\npackets = pd.read_parquet('{{.First}}/packets.parquet')\n```\n" +
	"{{if .M.HasWAN}}```sh\ntshark -r {{.First}}/wan.pcapng -Y 'frame.number == 42'  # the packet of row 42; Wireshark opens the file as it is\n```\n{{end}}" + `
## Limits
Emulated devices, not real ones: sizes and rhythms follow their profiles, each number of which names its source.{{with .Basis}} Of their
{{.}}.{{end}} The WAN is IPv4 only.
The licence is for its maker to choose.
`

// cardHomes is how many homes a card lists in full: beyond them, nobody reads on.
const cardHomes = 50

func card(m *Manifest) ([]byte, error) {
	t, err := template.New("card").Parse(cardText)
	if err != nil {
		return nil, err
	}
	homes, first := m.Homes[:min(len(m.Homes), cardHomes)], HomeDir(0)
	if len(homes) > 0 {
		first = HomeDir(homes[0].Home)
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"M": m, "Basis": basisText(m.Basis), "Homes": homes, "Air": m.Counts.Zigbee+m.Counts.BLE > 0, "More": len(m.Homes) - len(homes), "First": first, "Columns": PacketColumns(), "Events": EventColumns(), "Start": time.Unix(0, m.StartNs).UTC().Format(time.RFC3339),
		"Duration": time.Duration(m.DurationNs), "WarmUp": time.Duration(m.WarmUpNs),
	})
	return b.Bytes(), err
}

// basisText says what share of the profiles' quantities is measured, the paper's and assumed; nothing where nobody counted.
func basisText(n map[string]int) string {
	total := n["measured"] + n["paper"] + n["assumed"]
	if total == 0 {
		return ""
	}
	share := func(b string) float64 { return 100 * float64(n[b]) / float64(total) }
	return fmt.Sprintf("%d quantities %.0f %% are measured in captures of real devices, %.0f %% are the HomeMole paper's, and %.0f %% are assumed",
		total, share("measured"), share("paper"), share("assumed"))
}
