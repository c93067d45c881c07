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
	for _, unit := range home.Specimens {
		fmt.Println(unit.Name, unit.Addr)
	}
	// Output:
}

// Errors in a file come all at once, each with its place and what is allowed.
func ExampleParse() {
	_, err := scenarios.Parse("home.yaml", []byte("name: my-home\npath: wifi\ndevices: [{device: echo-dott}]\n"))
	fmt.Println(err)
	// Output:
}
