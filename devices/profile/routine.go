package profile

import "glasshouse/devices/draw"

// ActivityBoot is the first activity of every unit: it opens the lasting connections.
const ActivityBoot = "boot"

// What sets an activity off.
const (
	TriggerTimer     = "timer"
	TriggerBoot      = "boot"
	TriggerSchedule  = "schedule"
	TriggerVoice     = "voice"
	TriggerAppLocal  = "app-local"
	TriggerAppRemote = "app-remote"
	TriggerMotion    = "motion"
	TriggerTouch     = "touch"
	TriggerState     = "state" // of a change of state, which no profile lists as an activity
)

// Triggers is the closed vocabulary of what sets an activity of a profile off.
func Triggers() []string {
	return []string{
		TriggerTimer, TriggerBoot, TriggerSchedule, TriggerVoice, TriggerAppLocal, TriggerAppRemote, TriggerMotion, TriggerTouch,
	}
}

// Routine is one of a device's activities as its profile describes it: when it happens, and what is exchanged.
type Routine struct {
	Name    string `json:"name"`
	Trigger string `json:"trigger"` // one of Triggers
	Mode    string `json:"mode"`    // only in units of this mode; "" = in all
	Peer    bool   `json:"peer"`    // only with a phone on the LAN
	NoPeer  bool   `json:"no_peer"` // only without

	// Of timers and schedules.
	Every  draw.Range `json:"every"`  // ns: drawn once a unit, then stretched by its clock's drift
	Jitter int64      `json:"jitter"` // ns, each way, around the beat: it does not add up
	Phase  draw.Range `json:"phase"`  // ns after boot; Max 0 = anywhere in the period

	// RestartedBy names an activity of the device after which the timer begins anew: its next beat comes Phase after that
	// activity's start, and none of the old ones.
	RestartedBy string `json:"restarted_by,omitempty"`

	// Phases stand in the place of Phase: quantiles, in equal steps.
	Phases []int64 `json:"phases,omitempty"`

	// Jitters stand in the place of Jitter: quantiles, in equal steps, of the ns by which a beat is late, or early.
	Jitters    []int64    `json:"jitters,omitempty"`
	JitterNext draw.Chain `json:"jitter_next,omitempty"` // how late a beat is depends on how late the one before was

	// Slip is how often, in parts per million, the grid of a period moves after a beat, and Slips, quantiles in equal steps, by how
	// many ns: the timer was begun anew, or late.
	Slip  int64   `json:"slip,omitempty"`
	Slips []int64 `json:"slips,omitempty"`

	// Gaps stand in the place of Every where a device keeps no period: quantiles, in equal steps from the least to the longest,
	// of the ns from one beat to the next. Each gap is drawn anew, straight lines lying between the quantiles.
	Gaps    []int64    `json:"gaps,omitempty"`
	GapNext draw.Chain `json:"gap_next,omitempty"` // a gap depends on the one before

	// Of schedules that name a time of day, in the place of Every.
	Daily bool  `json:"daily,omitempty"`
	At    int64 `json:"at,omitempty"` // ns since midnight

	// Of people's acts.
	PerDay     int64      `json:"per_day"`    // millionths of acts a day, in life
	Refractory draw.Range `json:"refractory"` // ns of quiet after the act before its people's next one

	Kit string `json:"kit,omitempty"` // of a hub: the model of kit whose act it is; one of its units, drawn each time

	// Of devices with states: those in which it can happen (none: all), the one that begins with it, and the one that begins
	// when it has ended. Timers begin anew when a state in which they can run does; people's acts at other times do not happen.
	During []string `json:"during,omitempty"`
	Enters string   `json:"enters,omitempty"`
	Then   string   `json:"then,omitempty"`

	Steps []Step `json:"steps"`
	Origin
}

// Person tells whether somebody in the home sets the activity off.
func (r *Routine) Person() bool {
	switch r.Trigger {
	case TriggerTimer, TriggerBoot, TriggerSchedule, TriggerState:
		return false
	}
	return true
}

// Step describes an exchange.
type Step struct {
	Op       Op         `json:"op"`
	Service  string     `json:"service"`
	After    draw.Range `json:"after"`  // ns after the activity's start
	Repeat   draw.Range `json:"repeat"` // times; each draws its own messages
	Gap      draw.Range `json:"gap"`    // ns from one repetition's start to the next one's
	Chance   int64      `json:"chance"` // parts per million that it happens
	Fresh    bool       `json:"fresh"`
	Messages []Item     `json:"messages"`
}

// Item describes messages: one (Group, Variants and Stream empty), a group that repeats, one of several variants, or a stream.
type Item struct {
	Dir      int8       `json:"dir"`
	Size     draw.Range `json:"size"`                // application bytes
	Wait     draw.Range `json:"wait"`                // ns
	HasWait  bool       `json:"has_wait"`            // else a reply waits the service's Latency, and any other message 0
	Waits    []int64    `json:"waits,omitempty"`     // quantiles, in equal steps, in the place of Wait
	WaitNext draw.Chain `json:"wait_next,omitempty"` // where the item repeats in an exchange, a wait depends on the one before
	Repeat   draw.Range `json:"repeat"`
	Group    []Item     `json:"group,omitempty"`
	Variants []Variant  `json:"variants,omitempty"` // one is drawn each time
	Stream   *Stream    `json:"stream,omitempty"`
}

// Variant is one way in which part of a dialogue may go.
type Variant struct {
	Weight   int64  `json:"weight"` // its chance is this among the sum of all
	Messages []Item `json:"messages"`
}

// Stream describes audio or video: a frame each Every, cut into chunks that are sent back to back.
type Stream struct {
	Dir      int8       `json:"dir"`
	Every    int64      `json:"every"`     // ns between frames
	Size     draw.Range `json:"size"`      // application bytes of a frame
	KeyEvery int64      `json:"key_every"` // each such frame is a key frame, the first one too; 0 = none is
	KeySize  draw.Range `json:"key_size"`  // application bytes of a key frame
	Duration draw.Range `json:"duration"`  // ns
	Chunk    draw.Range `json:"chunk"`     // application bytes of a message, drawn once a stream; the last of a frame is shorter
}
