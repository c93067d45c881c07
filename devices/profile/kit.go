package profile

import "glasshouse/devices/draw"

// Radio is how a kit talks to its hub.
type Radio string

// The radios of kits.
const (
	RadioZigbee Radio = "zigbee" // IEEE 802.15.4 at 2.4 GHz, Zigbee PRO: a kit is a sleepy end device
	RadioBLE    Radio = "ble"    // Bluetooth Low Energy: a kit advertises, the hub scans
)

// Sensor is what a kit senses.
type Sensor string

// The sensors of kits.
const (
	SensorDoor        Sensor = "door"   // each message up of its activity is a report: opened, closed, opened ...
	SensorMotion      Sensor = "motion" // its activity begins with its report, as that of the others
	SensorButton      Sensor = "button"
	SensorTemperature Sensor = "temperature"
)

// Sensors is the closed vocabulary of what a kit senses.
func Sensors() []string {
	return []string{string(SensorDoor), string(SensorMotion), string(SensorButton), string(SensorTemperature)}
}

// Kit is a model of sensor without Wi-Fi: its events reach the internet through the hub whose profile lists it.
type Kit struct {
	Name   string     `json:"name"`
	About  string     `json:"about"`
	Radio  Radio      `json:"radio"`
	Sensor Sensor     `json:"sensor"`
	OUI    [3]byte    `json:"oui"`   // of its EUI-64, or of its Bluetooth identity address
	Units  draw.Range `json:"units"` // how many a hub has
	Every  draw.Range `json:"every"` // ns between frames that it sends unasked: battery reports, or advertisements
	Origin
}

// HasKits tells whether units of the profile are hubs.
func (p *Profile) HasKits() bool { return len(p.Kits) > 0 }

// Kit returns a kit by name, or nil.
func (p *Profile) Kit(name string) *Kit {
	for i := range p.Kits {
		if p.Kits[i].Name == name {
			return &p.Kits[i]
		}
	}
	return nil
}
