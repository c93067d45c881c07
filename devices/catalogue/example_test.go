package catalogue_test

import (
	"fmt"
	"log"

	"glasshouse/devices/catalogue"
)

// A profile is found by name; LoadFile reads one of your own.
func ExampleLoad() {
	p, err := catalogue.Load("broadlink-plug")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Device, p.Kind, p.Category)
	for _, s := range p.Services {
		fmt.Println(s.Name, s.Transport, s.Port)
	}
	// Output:
	// broadlink-plug iot plug
	// cloud udp 16384
	// app lan-udp 8090
}
