package dataset_test

import (
	"fmt"
	"log"

	"glasshouse/testbed/dataset"
)

// A dataset is read home by home, packet by packet; what the observer sees and the truth are apart in a row.
func ExampleOpen() {
	d, err := dataset.Open("testdata/example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Manifest.Scenario, d.Manifest.World, "seed", d.Manifest.Seed)
	bytes := make(map[string]int64)
	err = d.Rows(func(_ int, r *dataset.Row) error {
		bytes[r.Device] += int64(r.Length)
		if r.Frame == 1 {
			fmt.Println("frame 1:", r.Dir, r.AppProto, r.RemotePort, "is", r.Device, r.Role)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes)
	// Output:
	// two-plugs virtual seed 1
	// frame 1: 1 dns 53 is gateway data
	// map[broadlink-plug:6772 gateway:1420 orvibo-plug:10455]
}

// Events say why packets were sent: label_event of a packet is the key of its event.
func ExampleDataset_Events() {
	d, err := dataset.Open("testdata/example")
	if err != nil {
		log.Fatal(err)
	}
	n := make(map[string]int)
	if err := d.Events(func(_ int, e *dataset.Event) error {
		n[e.Activity]++
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
	// Output:
	// map[boot:2 heartbeat:53 local-beacon:1 status-report:2]
}
