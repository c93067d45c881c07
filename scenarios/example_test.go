package scenarios_test

import (
	"fmt"
	"log"

	"glasshouse/scenarios"
)

// A scenario describes a population of homes; Draw picks one of them, the same for the same seed and index.
func ExampleLoad() {
	s, err := scenarios.Load("noisy-vpn") // or the path of a YAML file
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Name, s.Path, s.RunDuration(), len(s.Devices), "devices")
	home, err := s.Draw(1, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, unit := range home.Specimens[:3] {
		fmt.Println(unit.Name, unit.Addr)
	}
	// Output:
	// noisy-vpn vpn 10m0s 14 devices
	// echo-dot 192.168.66.212
	// tmall-assist 192.168.66.183
	// 360-camera 192.168.66.233
}

// An error in a file has its place and what is allowed; where there are several, all come at once.
func ExampleParse() {
	_, err := scenarios.Parse("home.yaml", []byte("name: my-home\npath: wifi\ndevices: [{device: echo-dot}]\n"))
	fmt.Println(err)
	// Output:
	// home.yaml:2:7: path: "wifi" is not known (allowed: napt, vpn)
	//     2 | path: wifi
	//       |       ^
}
