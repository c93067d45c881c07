package script

import (
	"fmt"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// LevelTime is how long a far end's level holds, ns: the replies of a captured hub stay within a millisecond for an hour or
// more, and move by several from one hour to another (oconnor-lockly-hub in catalogue/sources.yaml).
const LevelTime = int64(time.Hour)

// levels draws by how much the far ends of a unit are slow. It is a function of the time alone, so that all activities of a
// unit meet the same far end.
type levels struct{ seed uint64 }

// epoch is a time in which levels hold.
type epoch struct {
	seed uint64
	n    int64
}

func (l levels) at(t int64) epoch { return epoch{l.seed, t / LevelTime} }

// of returns the level of a service, ns.
func (e epoch) of(s *profile.Service) int64 {
	if len(s.Level) == 0 {
		return 0
	}
	return draw.New(e.seed, fmt.Sprintf("level:%s:%d", s.Name, e.n)).Quantile(s.Level)
}
