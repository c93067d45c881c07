package dataset

// The captures of what hubs and their kits say over radios of their own. They hold no truth: which kit sent a frame is for the
// keys in the manifest to tell.
const (
	FileZigbee = "pan-zigbee.pcapng"
	FileBLE    = "pan-ble.pcapng"
)

// Names of the radios, as profiles have them.
const (
	RadioZigbee = "zigbee"
	RadioBLE    = "ble"
)

// Radio is one of the air's.
type Radio struct {
	Name, File string
	Link       uint16 // of the capture
}

// Link types (tcpdump.org/linktypes.html).
const (
	linkIEEE802154 = 195 // with its FCS
	linkBLE        = 256 // link layer, with a pseudo-header
)

// Radios is the order of everything that there is of each.
func Radios() [2]Radio {
	return [2]Radio{{RadioZigbee, FileZigbee, linkIEEE802154}, {RadioBLE, FileBLE, linkBLE}}
}

// RadioOf returns the index of a radio, or -1.
func RadioOf(name string) int {
	for i, r := range Radios() {
		if r.Name == name {
			return i
		}
	}
	return -1
}

// AirCount returns where the frames of a radio are counted.
func (c *Counts) AirCount(i int) *int64 {
	if i == 0 {
		return &c.Zigbee
	}
	return &c.BLE
}
