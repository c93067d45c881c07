package scenarios

import (
	"github.com/invopop/jsonschema"

	"glasshouse/devices/strictyaml"
)

// Schema returns the JSON schema of scenario files, for editors. Parse is stricter and gives better messages.
func Schema() ([]byte, error) {
	return strictyaml.Schema(&schemaScenario{}, "Glasshouse scenario")
}

// The types of a scenario file. A test compares their keys with the parser's.
type (
	schemaScenario struct {
		Name      strictyaml.AName     `json:"name"`
		About     string               `json:"about,omitempty" jsonschema:"maxLength=600"`
		Start     string               `json:"start,omitempty" jsonschema_description:"script time 0 of virtual runs, RFC 3339, as in 2026-01-05T18:30:00Z"`
		Duration  strictyaml.ADuration `json:"duration,omitempty" jsonschema_description:"default 10m"`
		WarmUp    strictyaml.ADuration `json:"warm_up,omitempty" jsonschema_description:"not scored; default 15s"`
		Path      schemaPath           `json:"path"`
		Devices   []schemaEntry        `json:"devices" jsonschema:"minItems=1"`
		Household *schemaHousehold     `json:"household,omitempty" jsonschema_description:"the residents"`
		WAN       *schemaWAN           `json:"wan,omitempty" jsonschema_description:"the range of homes' internet connections"`
		WiFi      *schemaWiFi          `json:"wifi,omitempty" jsonschema_description:"the home's radio"`
		Router    *schemaRouter        `json:"router,omitempty"`
	}
	schemaEntry struct {
		Device  string             `json:"device" jsonschema_description:"a device of the catalogue, or the path of a profile relative to this file"`
		Units   strictyaml.IntSpan `json:"units,omitempty" jsonschema_description:"number of units in a home that has the device"`
		Present *float64           `json:"present,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent of homes that have it"`
		Mode    strictyaml.AName   `json:"mode,omitempty" jsonschema_description:"one of the profile's modes"`
	}
	schemaHousehold struct {
		Density       *float64           `json:"density,omitempty" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"factor on the rate of user actions; 1 is real life"`
		Steady        bool               `json:"steady,omitempty" jsonschema_description:"user actions are evenly spaced, without habits"`
		AtLeast       *int               `json:"at_least,omitempty" jsonschema:"minimum=0" jsonschema_description:"models of IoT device in a home"`
		PhonesAtLeast *int               `json:"phones_at_least,omitempty" jsonschema:"minimum=0" jsonschema_description:"models of phone or tablet in a home"`
		Residents     strictyaml.IntSpan `json:"residents,omitempty" jsonschema_description:"people whose daily routines determine when they use devices; without, one rate around the clock"`
		Guests        *float64           `json:"guests,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent of evenings with a guest"`
	}
	schemaWAN struct {
		UpRate      strictyaml.QuantitySpan `json:"up_rate,omitempty" jsonschema_description:"as in 20mbit"`
		DownRate    strictyaml.QuantitySpan `json:"down_rate,omitempty" jsonschema_description:"as in 100mbit"`
		Delay       strictyaml.DurationSpan `json:"delay,omitempty" jsonschema_description:"one way"`
		Jitter      strictyaml.DurationSpan `json:"jitter,omitempty" jsonschema_description:"at most, above the delay"`
		Loss        strictyaml.DecimalSpan  `json:"loss,omitempty" jsonschema_description:"percent, each way"`
		Queue       strictyaml.QuantitySpan `json:"queue,omitempty" jsonschema_description:"as in 250kB"`
		Grant       strictyaml.DurationSpan `json:"grant,omitempty" jsonschema_description:"between upstream grants"`
		Clouds      strictyaml.DurationSpan `json:"clouds,omitempty" jsonschema_description:"added to the round trip by a cloud's distance"`
		Unsolicited strictyaml.DecimalSpan  `json:"unsolicited_per_hour,omitempty" jsonschema_description:"unsolicited packets per hour"`
	}
	schemaWiFi struct {
		Delay     strictyaml.ADuration `json:"delay,omitempty" jsonschema_description:"each way"`
		Jitter    strictyaml.ADuration `json:"jitter,omitempty" jsonschema_description:"at most, above the delay"`
		Loss      *float64             `json:"loss,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"percent, after retries"`
		PowerSave bool                 `json:"power_save,omitempty" jsonschema_description:"stations whose profile says so sleep between beacons"`
	}
	schemaRouter struct {
		ARP       strictyaml.ADuration `json:"arp,omitempty" jsonschema_description:"reachable time of ARP entries"`
		IGMPQuery strictyaml.ADuration `json:"igmp_query,omitempty" jsonschema_description:"between IGMP queries; 0 = none"`
	}
	schemaPath string
)

func (schemaPath) JSONSchema() *jsonschema.Schema {
	return strictyaml.Vocabulary(string(PathNAPT), string(PathVPN))
}
