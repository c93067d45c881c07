package scenarios

import (
	"github.com/invopop/jsonschema"

	"glasshouse/devices/strictyaml"
)

// Schema returns the JSON schema of scenario files, for editors. Parse is stricter, and says what is wrong.
func Schema() ([]byte, error) {
	return strictyaml.Schema(&schemaScenario{}, "Glasshouse scenario")
}

// The shapes of a scenario file. A test holds their keys against the reader's.
type (
	schemaScenario struct {
		Name      strictyaml.AName     `json:"name"`
		About     string               `json:"about,omitempty" jsonschema:"maxLength=600"`
		Start     string               `json:"start,omitempty" jsonschema_description:"script time 0 of virtual runs, RFC 3339, as in 2026-01-05T18:30:00Z"`
		Duration  strictyaml.ADuration `json:"duration,omitempty" jsonschema_description:"10m unless told"`
		WarmUp    strictyaml.ADuration `json:"warm_up,omitempty" jsonschema_description:"not scored; 15s unless told"`
		Path      schemaPath           `json:"path"`
		Devices   []schemaEntry        `json:"devices" jsonschema:"minItems=1"`
		Household *schemaHousehold     `json:"household,omitempty" jsonschema_description:"the people"`
		WAN       *schemaWAN           `json:"wan,omitempty" jsonschema_description:"the internet connections that homes have"`
		WiFi      *schemaWiFi          `json:"wifi,omitempty" jsonschema_description:"the home's radio"`
		Router    *schemaRouter        `json:"router,omitempty"`
	}
	schemaEntry struct {
		Device  string             `json:"device" jsonschema_description:"a name of the catalogue, or the path of a profile, relative to this file"`
		Units   strictyaml.IntSpan `json:"units,omitempty" jsonschema_description:"how many a home has, if it has any"`
		Present *float64           `json:"present,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent of homes that have it"`
		Mode    strictyaml.AName   `json:"mode,omitempty" jsonschema_description:"of the profile's modes"`
	}
	schemaHousehold struct {
		Density       *float64           `json:"density,omitempty" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"factor on people's acts; 1 is life"`
		Steady        bool               `json:"steady,omitempty" jsonschema_description:"devices are tried out by a plan: acts come evenly, none by a habit of its home"`
		AtLeast       *int               `json:"at_least,omitempty" jsonschema:"minimum=0" jsonschema_description:"models of IoT device in a home"`
		PhonesAtLeast *int               `json:"phones_at_least,omitempty" jsonschema:"minimum=0" jsonschema_description:"models of phone or tablet in a home"`
		Residents     strictyaml.IntSpan `json:"residents,omitempty" jsonschema_description:"people whose days decide when they act; none: one rate around the clock"`
		Guests        *float64           `json:"guests,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent of evenings with a guest"`
	}
	schemaWAN struct {
		UpRate      strictyaml.QuantitySpan `json:"up_rate,omitempty" jsonschema_description:"as in 20mbit"`
		DownRate    strictyaml.QuantitySpan `json:"down_rate,omitempty" jsonschema_description:"as in 100mbit"`
		Delay       strictyaml.DurationSpan `json:"delay,omitempty" jsonschema_description:"one way"`
		Jitter      strictyaml.DurationSpan `json:"jitter,omitempty" jsonschema_description:"at most, above the delay"`
		Loss        strictyaml.DecimalSpan  `json:"loss,omitempty" jsonschema_description:"percent, each way"`
		Queue       strictyaml.QuantitySpan `json:"queue,omitempty" jsonschema_description:"as in 250kB"`
		Grant       strictyaml.DurationSpan `json:"grant,omitempty" jsonschema_description:"from one grant of the way up to the next"`
		Clouds      strictyaml.DurationSpan `json:"clouds,omitempty" jsonschema_description:"that a cloud's distance adds to the round trip"`
		Unsolicited strictyaml.DecimalSpan  `json:"unsolicited_per_hour,omitempty" jsonschema_description:"packets that nobody asked for"`
	}
	schemaWiFi struct {
		Delay     strictyaml.ADuration `json:"delay,omitempty" jsonschema_description:"each way"`
		Jitter    strictyaml.ADuration `json:"jitter,omitempty" jsonschema_description:"at most, above the delay"`
		Loss      *float64             `json:"loss,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent, after retries"`
		PowerSave bool                 `json:"power_save,omitempty" jsonschema_description:"stations whose profile says so doze between beacons"`
	}
	schemaRouter struct {
		ARP       strictyaml.ADuration `json:"arp,omitempty" jsonschema_description:"how long its ARP entries are believed"`
		IGMPQuery strictyaml.ADuration `json:"igmp_query,omitempty" jsonschema_description:"between its queries; 0 is none"`
	}
	schemaPath string
)

func (schemaPath) JSONSchema() *jsonschema.Schema {
	return strictyaml.Vocabulary(string(PathNAPT), string(PathVPN))
}
