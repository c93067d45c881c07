// Package live runs a home on Linux in real time: devices are network namespaces with kernels' TCP/IP, real TLS, DNS, HTTP, MQTT and
// QUIC; the program is the access point, the NAPT, the WAN and the tap between them.
//
// Run re-executes the program in user, network and mount namespaces of its own, before it opens a socket, so that the host's network is
// out of reach and nothing is left when it ends, however it ends. The child (Child) builds the lab, performs the script and writes the
// dataset; it reports by a pipe that no packet waits for. Several labs can run at once. Elsewhere than on Linux Run fails.
package live

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/run"
)

// Run runs one home in a process of its own and writes its dataset. When ctx ends, the run stops in order and the result says
// that it was cut.
func Run(ctx context.Context, o run.Options) (*run.Result, error) {
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return nil, err
	}
	if err := dataset.CheckEmpty(out); err != nil {
		return nil, err
	}
	ord := order{
		Scenario: o.Scenario.Source(), Seed: o.Seed, Home: o.Home, Duration: o.Duration, Out: out,
		TimeScale: o.TimeScale, Rows: o.OnRow != nil, Name: o.Lab,
	}
	if ord.Duration == 0 {
		ord.Duration = o.Scenario.RunDuration()
	}
	var res *run.Result
	var failed error
	told := newAudience(&o)
	err = startChild(ctx, ord, labName(o), func(m message) {
		switch {
		case m.Result != nil:
			res = m.Result
		case m.Error != "":
			failed = errors.New(m.Error)
		default:
			told.offer(m)
		}
	})
	skipped := told.close()
	switch {
	case failed != nil:
		return nil, failed
	case err != nil || res == nil:
		return nil, salvage(out, err)
	}
	res.NotShown += skipped
	if res.Reasons == nil { // an empty list does not travel
		res.Reasons = []string{}
	}
	return res, nil
}

// salvage puts in order what a lab that died has left, and says so.
func salvage(out string, died error) error {
	if died == nil {
		died = errors.New("the lab ended without a result")
	}
	v, err := verify.Run(out, true)
	if err != nil || len(v.Repaired) == 0 {
		return died
	}
	return fmt.Errorf("%w; what was captured until then is in %s (%d packets, marked as cut)", died, out, v.Checked)
}

// labName is the name by which a shell finds the lab.
func labName(o run.Options) string {
	if o.Lab != "" {
		return o.Lab
	}
	return fmt.Sprintf("%s-%d-%d", o.Scenario.Name, o.Seed, o.Home)
}
