package cli

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"glasshouse/devices/strictyaml"
	"glasshouse/scenarios"
)

// durationFlag takes Go's durations, and d and w.
type durationFlag struct{ d *time.Duration }

func (f durationFlag) String() string {
	if f.d == nil || *f.d == 0 {
		return ""
	}
	return f.d.String()
}

func (f durationFlag) Set(s string) error {
	d, err := scenarios.ParseDuration(s)
	if err != nil {
		return err
	}
	if d <= 0 {
		return fmt.Errorf("%q is not a duration above zero, as in 90s, 10m, 2h, 1d", s)
	}
	*f.d = d
	return nil
}

func (durationFlag) Type() string { return "duration" }

// seedFlag holds a seed that is drawn if none is given.
type seedFlag struct {
	value uint64
	given bool
}

func (s *seedFlag) add(cmd *cobra.Command) {
	cmd.Flags().Var(s, "seed", "seed of all random draws (default random; it is printed)")
}

func (s *seedFlag) String() string {
	if !s.given {
		return ""
	}
	return fmt.Sprint(s.value)
}

func (s *seedFlag) Set(v string) error {
	if _, err := fmt.Sscanf(v, "%d", &s.value); err != nil || fmt.Sprint(s.value) != v {
		return fmt.Errorf("%q is not a seed: a whole number from 0 to 18446744073709551615", v)
	}
	s.given = true
	return nil
}

func (*seedFlag) Type() string { return "number" }

// seedBits is the size of a drawn seed: a number that JavaScript and spreadsheets still hold exactly.
const seedBits = 48

// get returns the seed, drawing one if none was given.
func (s *seedFlag) get() uint64 {
	if !s.given {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails: it ends the program instead
		s.value, s.given = binary.LittleEndian.Uint64(b[:])>>(64-seedBits), true
	}
	return s.value
}

// meantFlag suggests the flag whose name is closest to an unknown one, if any is close.
func meantFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return ""
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := strictyaml.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Sprintf("; did you mean --%s?", near)
	}
	return ""
}

// addTimeScale adds the flag that the commands which run homes share.
func addTimeScale(f *pflag.FlagSet, to *float64) {
	f.Float64Var(to, "time-scale", 0, "rate of user actions, relative to the normal rate; protocol timers are never scaled (default the scenario's density)")
}

// checkTimeScale checks the value of --time-scale.
func checkTimeScale(f float64) error {
	if math.IsNaN(f) || f < 0 || f > scenarios.MaxDensity {
		return fmt.Errorf("--time-scale %g is out of range (allowed: a number from 0 to %d; 0 = the scenario's)", f, scenarios.MaxDensity)
	}
	return nil
}
