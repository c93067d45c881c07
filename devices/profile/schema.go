package profile

import (
	"github.com/invopop/jsonschema"

	"glasshouse/devices/strictyaml"
)

// Schema returns the JSON schema of profile files, for editors. Parse is stricter, and says what is wrong.
func Schema() ([]byte, error) {
	return strictyaml.Schema(&schemaProfile{}, "Glasshouse device profile")
}

// The shapes of a profile file. A test holds their keys against the reader's.
type (
	schemaProfile struct {
		Device     strictyaml.AName  `json:"device" jsonschema_description:"the name in labels, files and scenarios"`
		About      string            `json:"about" jsonschema:"maxLength=600"`
		Kind       schemaKind        `json:"kind"`
		Category   schemaCategory    `json:"category" jsonschema_description:"what the device is for"`
		Class      strictyaml.AName  `json:"class,omitempty" jsonschema_description:"what a classifier is asked for; the device, or noise for phones and tablets"`
		OUI        schemaOUI         `json:"oui"`
		Stack      *schemaStack      `json:"stack,omitempty" jsonschema_description:"how its TCP/IP behaves"`
		WiFi       *schemaWiFi       `json:"wifi,omitempty" jsonschema_description:"how its radio behaves"`
		Sources    []schemaReference `json:"sources,omitempty" jsonschema_description:"captures, datasets and papers that the source texts below cite by key, in brackets, beside those of the catalogue"`
		Services   []schemaService   `json:"services" jsonschema:"minItems=1" jsonschema_description:"its peers"`
		Kits       []schemaKit       `json:"kits,omitempty" jsonschema_description:"of a hub: sensors without Wi-Fi that reach the internet through it"`
		States     []schemaState     `json:"states,omitempty" jsonschema:"minItems=2" jsonschema_description:"what it can be in; the first is that after boot"`
		Activities []schemaRoutine   `json:"activities" jsonschema:"minItems=1" jsonschema_description:"what it does, when"`
	}
	schemaStack struct {
		TTL           int                    `json:"ttl,omitempty" jsonschema:"minimum=1,maximum=255" jsonschema_description:"64 unless told"`
		TCPTimestamps bool                   `json:"tcp_timestamps,omitempty"`
		MSS           int                    `json:"mss,omitempty" jsonschema:"minimum=536,maximum=1460" jsonschema_description:"bytes; 1460 unless told"`
		Keepalive     strictyaml.ADuration   `json:"keepalive,omitempty" jsonschema_description:"between TCP keepalives of an idle connection; 0 is none"`
		IPv6          bool                   `json:"ipv6,omitempty"`
		ARP           strictyaml.ADuration   `json:"arp,omitempty" jsonschema_description:"how long an ARP entry is believed"`
		Apart         bool                   `json:"apart,omitempty" jsonschema_description:"what is written at once leaves in segments of its own, never joined with what comes after it"`
		Acks          []strictyaml.ADuration `json:"acks,omitempty" jsonschema:"minItems=2,maxItems=101" jsonschema_description:"quantiles of how late it acknowledges a segment that came alone"`
	}
	schemaWiFi struct {
		PowerSave bool                    `json:"power_save,omitempty" jsonschema_description:"dozes between beacons: what is sent to it waits"`
		Latency   strictyaml.DurationSpan `json:"latency,omitempty" jsonschema_description:"that its radio adds to a frame up"`
		Doze      []strictyaml.ADuration  `json:"doze,omitempty" jsonschema:"minItems=2,maxItems=101" jsonschema_description:"quantiles of how long a frame waits for the device where it has been silent"`
		Pace      schemaGaps              `json:"pace,omitempty" jsonschema_description:"quantiles of the time between two frames of the device where it has several to send"`
	}
	schemaService struct {
		Name      strictyaml.AName `json:"name"`
		Host      string           `json:"host,omitempty" jsonschema_description:"a DNS name; peer or broadcast for lan-udp, peer for lan-tcp"`
		Port      int              `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
		Transport schemaTransport  `json:"transport"`
		Cloud     strictyaml.AName `json:"cloud,omitempty" jsonschema_description:"hosts of one cloud share addresses"`
		Reply     *schemaReply     `json:"reply,omitempty"`
		Login     *schemaLogin     `json:"login,omitempty" jsonschema_description:"how a lasting connection begins, application bytes"`
		Lasting   bool             `json:"lasting,omitempty" jsonschema_description:"one connection for as long as the device lives"`
		Answers   bool             `json:"answers,omitempty" jsonschema_description:"of mdns, mdns6 and ssdp: the device offers this, and answers who looks for it"`
		Basis     schemaBasis      `json:"basis"`
		Assumed   []schemaQuantity `json:"assumed,omitempty" jsonschema_description:"keys of this entry whose numbers are assumed all the same"`
		Source    string           `json:"source" jsonschema:"maxLength=600"`
	}
	schemaReference struct {
		Key        schemaKey `json:"key"`
		Of         schemaKey `json:"of,omitempty" jsonschema_description:"key of the source that this is a part of"`
		Title      string    `json:"title,omitempty" jsonschema:"maxLength=600" jsonschema_description:"needed, but of a part"`
		Authors    string    `json:"authors,omitempty" jsonschema:"maxLength=600"`
		Year       int       `json:"year,omitempty" jsonschema:"minimum=1900,maximum=2200"`
		Address    string    `json:"address,omitempty" jsonschema:"maxLength=600,pattern=^https?://" jsonschema_description:"a URL; an address, a file, or both are needed"`
		Commit     string    `json:"commit,omitempty" jsonschema:"pattern=^[0-9a-f]{40}$"`
		File       string    `json:"file,omitempty" jsonschema:"maxLength=600"`
		Licence    string    `json:"licence,omitempty" jsonschema:"maxLength=600"`
		Measured   string    `json:"measured,omitempty" jsonschema:"maxLength=600" jsonschema_description:"the device, the place, the time span"`
		Values     []string  `json:"values,omitempty"`
		Method     string    `json:"method,omitempty" jsonschema:"maxLength=600" jsonschema_description:"how the values were obtained"`
		Background bool      `json:"background,omitempty" jsonschema_description:"for comparison: no number is from it"`
	}
	schemaReply struct {
		Latency strictyaml.DurationTable `json:"latency" jsonschema_description:"from a message's arrival at the far end to its reply"`
		Level   []strictyaml.ADuration   `json:"level,omitempty" jsonschema:"minItems=2,maxItems=101" jsonschema_description:"quantiles of what all replies of an hour take beyond that"`
	}
	schemaLogin struct {
		Up       int          `json:"up,omitempty" jsonschema:"minimum=16"`
		Down     int          `json:"down,omitempty" jsonschema:"minimum=1"`
		Messages []schemaItem `json:"messages,omitempty" jsonschema:"minItems=1" jsonschema_description:"of tcp and TLS, in the place of up and down: all that is said at first; the far end may begin"`
	}
	schemaKit struct {
		Name    strictyaml.AName        `json:"name"`
		About   string                  `json:"about" jsonschema:"maxLength=600"`
		Radio   schemaRadio             `json:"radio"`
		Sensor  schemaSensor            `json:"sensor"`
		OUI     schemaOUI               `json:"oui"`
		Units   strictyaml.IntSpan      `json:"units,omitempty" jsonschema_description:"how many a hub has"`
		Every   strictyaml.DurationSpan `json:"every" jsonschema_description:"between frames that it sends unasked"`
		Basis   schemaBasis             `json:"basis"`
		Assumed []schemaQuantity        `json:"assumed,omitempty" jsonschema_description:"keys of this entry whose numbers are assumed all the same"`
		Source  string                  `json:"source" jsonschema:"maxLength=600"`
	}
	schemaState struct {
		Name    schemaStateName         `json:"name"`
		Lasts   strictyaml.DurationSpan `json:"lasts,omitempty" jsonschema_description:"then next begins; without it an activity ends the state"`
		Next    schemaStateName         `json:"next,omitempty" jsonschema_description:"the state that follows by itself"`
		Steps   []schemaStep            `json:"steps,omitempty" jsonschema_description:"what the device does when the state begins"`
		Basis   schemaBasis             `json:"basis"`
		Assumed []schemaQuantity        `json:"assumed,omitempty" jsonschema_description:"keys of this entry whose numbers are assumed all the same"`
		Source  string                  `json:"source" jsonschema:"maxLength=600"`
	}
	schemaRoutine struct {
		Name        strictyaml.AName         `json:"name"`
		Trigger     schemaTrigger            `json:"trigger"`
		Mode        strictyaml.AName         `json:"mode,omitempty" jsonschema_description:"only in units of this mode"`
		Needs       schemaNeeds              `json:"needs,omitempty" jsonschema_description:"a phone on the LAN, or none"`
		Every       strictyaml.DurationSpan  `json:"every,omitempty" jsonschema_description:"of timers: the period, drawn once a unit"`
		Jitter      schemaJitter             `json:"jitter,omitempty" jsonschema_description:"of timers: each way around the beat, or quantiles of how late a beat is"`
		Slip        *schemaSlip              `json:"slip,omitempty" jsonschema_description:"of timers: how often the grid of beats moves, and by how much"`
		Phase       strictyaml.DurationTable `json:"phase,omitempty" jsonschema_description:"of timers: from boot, or a restart, to the first beat"`
		RestartedBy strictyaml.AName         `json:"restarted_by,omitempty" jsonschema_description:"of timers: the activity after which the timer begins anew"`
		Gaps        schemaGaps               `json:"gaps,omitempty" jsonschema_description:"of timers without a period: quantiles of the time between beats"`
		At          schemaClock              `json:"at,omitempty" jsonschema_description:"of schedules: a time of day in the place of a period, in quotes"`
		PerDay      *float64                 `json:"per_day,omitempty" jsonschema:"minimum=0,maximum=100000" jsonschema_description:"of people's acts: how often in a day"`
		Refractory  strictyaml.DurationSpan  `json:"refractory,omitempty" jsonschema_description:"of people's acts: quiet after one"`
		Kit         strictyaml.AName         `json:"kit,omitempty" jsonschema_description:"of a hub: the kit whose act it is"`
		During      []schemaStateName        `json:"during,omitempty" jsonschema:"minItems=1" jsonschema_description:"the states in which it can happen; all unless told"`
		Enters      schemaStateName          `json:"enters,omitempty" jsonschema_description:"the state that begins with it"`
		Then        schemaStateName          `json:"then,omitempty" jsonschema_description:"the state that begins when it has ended"`
		Steps       []schemaStep             `json:"steps" jsonschema:"minItems=1"`
		Basis       schemaBasis              `json:"basis"`
		Assumed     []schemaQuantity         `json:"assumed,omitempty" jsonschema_description:"keys of this entry whose numbers are assumed all the same"`
		Source      string                   `json:"source" jsonschema:"maxLength=600"`
	}
	schemaSlip struct {
		Chance float64                `json:"chance" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent of the beats after which it moves"`
		By     []strictyaml.ADuration `json:"by" jsonschema:"minItems=2,maxItems=101" jsonschema_description:"quantiles of how far"`
	}
	schemaStep struct {
		Service  strictyaml.AName        `json:"service"`
		Op       schemaOp                `json:"op,omitempty" jsonschema_description:"dialogue unless told"`
		After    strictyaml.DurationSpan `json:"after,omitempty" jsonschema_description:"the activity's start"`
		Repeat   strictyaml.IntSpan      `json:"repeat,omitempty"`
		Gap      strictyaml.DurationSpan `json:"gap,omitempty" jsonschema_description:"from one repetition's start to the next one's"`
		Chance   *float64                `json:"chance,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent"`
		Fresh    bool                    `json:"fresh,omitempty" jsonschema_description:"on a connection of its own"`
		Messages []schemaItem            `json:"messages,omitempty" jsonschema:"minItems=1"`
	}
	schemaItem struct {
		Up        strictyaml.IntSpan `json:"up,omitempty" jsonschema_description:"application bytes from the device"`
		Down      strictyaml.IntSpan `json:"down,omitempty" jsonschema_description:"application bytes to the device"`
		UpFrame   strictyaml.IntSpan `json:"up_frame,omitempty" jsonschema_description:"bytes of the Ethernet frame from the device"`
		DownFrame strictyaml.IntSpan `json:"down_frame,omitempty" jsonschema_description:"bytes of the Ethernet frame to the device"`
		Wait      schemaWait         `json:"wait,omitempty" jsonschema_description:"after the message before"`
		Repeat    strictyaml.IntSpan `json:"repeat,omitempty"`
		Messages  []schemaItem       `json:"messages,omitempty" jsonschema:"minItems=1" jsonschema_description:"a group that repeats"`
		Variants  []schemaVariant    `json:"variants,omitempty" jsonschema:"minItems=2" jsonschema_description:"one of them is drawn each time"`
		Stream    *schemaStream      `json:"stream,omitempty" jsonschema_description:"audio or video"`
	}
	schemaVariant struct {
		Weight   int          `json:"weight,omitempty" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"its chance is this among the sum of all; 1 unless told"`
		Messages []schemaItem `json:"messages" jsonschema_description:"none: nothing is said"`
	}
	schemaStream struct {
		Dir      schemaDirection         `json:"dir"`
		FPS      int                     `json:"fps,omitempty" jsonschema:"minimum=1,maximum=240"`
		Every    strictyaml.ADuration    `json:"every,omitempty" jsonschema_description:"between frames, in the place of fps"`
		Size     strictyaml.IntSpan      `json:"size" jsonschema_description:"application bytes of a frame"`
		KeyEvery int                     `json:"key_every,omitempty" jsonschema:"minimum=1" jsonschema_description:"each such frame is a key frame"`
		KeySize  strictyaml.IntSpan      `json:"key_size,omitempty" jsonschema_description:"application bytes of a key frame"`
		Duration strictyaml.DurationSpan `json:"duration"`
		Chunk    strictyaml.IntSpan      `json:"chunk,omitempty" jsonschema_description:"application bytes of a message"`
	}

	schemaClock     string
	schemaKey       string
	schemaJitter    string
	schemaGaps      string
	schemaWait      string
	schemaKind      string
	schemaCategory  string
	schemaOUI       string
	schemaBasis     string
	schemaTransport string
	schemaTrigger   string
	schemaStateName string
	schemaQuantity  string
	schemaNeeds     string
	schemaOp        string
	schemaRadio     string
	schemaSensor    string
	schemaDirection string
)

func (schemaKind) JSONSchema() *jsonschema.Schema {
	return strictyaml.Vocabulary(string(KindIoT), string(KindPhone), string(KindTablet))
}

func (schemaCategory) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(Categories()...) }

func (schemaClock) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
}

func (schemaKey) JSONSchema() *jsonschema.Schema {
	most := uint64(60)
	return &jsonschema.Schema{Type: "string", Pattern: keyShape.String(), MaxLength: &most, Description: "words joined by hyphens, two or more"}
}

func (schemaJitter) JSONSchema() *jsonschema.Schema {
	return orChain(strictyaml.OrTable(strictyaml.ADuration("").JSONSchema(), "a duration, or quantiles", maxQuantiles))
}

func (schemaGaps) JSONSchema() *jsonschema.Schema {
	return orChain(&jsonschema.Schema{OneOf: []*jsonschema.Schema{durationsOf(2)}})
}

func (schemaWait) JSONSchema() *jsonschema.Schema {
	return orChain(strictyaml.DurationTable("").JSONSchema())
}

// durationsOf is a list of so many durations or more.
func durationsOf(least uint64) *jsonschema.Schema {
	most := uint64(maxQuantiles)
	return &jsonschema.Schema{Type: "array", Items: strictyaml.ADuration("").JSONSchema(), MinItems: &least, MaxItems: &most}
}

// orChain allows quantiles with the chain that says how each value depends on the last, too.
func orChain(s *jsonschema.Schema) *jsonschema.Schema {
	two, most := uint64(2), uint64(mostStates)
	row := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: "1000000"}, MinItems: &two, MaxItems: &most}
	p := jsonschema.NewProperties()
	p.Set("table", durationsOf(3))
	p.Set("next", &jsonschema.Schema{
		Type: "array", Items: row, MinItems: &two, MaxItems: &most,
		Description: "weights of the next value's state, a row for each state of the last one; states share the table's steps evenly",
	})
	s.OneOf = append(s.OneOf, &jsonschema.Schema{Type: "object", Properties: p, Required: []string{"table", "next"}, AdditionalProperties: jsonschema.FalseSchema})
	return s
}

func (schemaOUI) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^([0-9A-Fa-f]{2}:){2}[0-9A-Fa-f]{2}$", Description: `the vendor's half of the address, in quotes, as in "50:c7:bf"`}
}

func (schemaBasis) JSONSchema() *jsonschema.Schema {
	s := strictyaml.Vocabulary(string(BasisMeasured), string(BasisPaper), string(BasisAssumed))
	s.Description = "where the numbers come from"
	return s
}

func (schemaTransport) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(Transports()...) }

func (schemaTrigger) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(Triggers()...) }

func (schemaStateName) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(States()...) }

func (schemaQuantity) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(quantities()...) }

func (schemaNeeds) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary("peer", "no-peer") }

func (schemaOp) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(opNames[:]...) }

func (schemaSensor) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary(Sensors()...) }

func (schemaDirection) JSONSchema() *jsonschema.Schema { return strictyaml.Vocabulary("up", "down") }

func (schemaRadio) JSONSchema() *jsonschema.Schema {
	return strictyaml.Vocabulary(string(RadioZigbee), string(RadioBLE))
}
