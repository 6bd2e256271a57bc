package status

import "time"

// Phase is what an account seems to do.
type Phase string

// The phases. From outside a lane that waits for WeChat looks like one whose
// process is gone: both are stalled.
const (
	Running    Phase = "running"
	Idle       Phase = "idle"       // somebody waits for events, and there are none
	Held       Phase = "held"       // all replicas rest: see Holds
	Paused     Phase = "paused"     // somebody has paused the durable
	Stalled    Phase = "stalled"    // events are in hand, and nothing comes of them
	Unattended Phase = "unattended" // nobody asks for events
	NoDurable  Phase = "no durable"
	NoStream   Phase = "no stream"
)

// Well reports whether events are answered, as far as can be seen.
func (p Phase) Well() bool { return p == Running || p == Idle }

// hints says what to do about a phase.
var hints = map[Phase]string{
	Paused:     "\"nats consumer resume\" ends it",
	Stalled:    "see the log and /readyz of the replicas that have the events: WeChat or the output may not answer, or the process is gone",
	Unattended: "start \"wxenrich run\", or see in its log what it waits for",
	NoDurable:  "\"wxenrich run\" makes it",
	NoStream:   "\"wxenrich run\" makes it when it starts, with \"manage: create\"",
}

// phase judges by a durable; ackWait is how long a delivery may take before it
// is made again.
func (d *Durable) phase(ackWait time.Duration) Phase {
	quiet := d.Pulls == 0
	if !d.Active.IsZero() {
		quiet = d.at.Sub(d.Active) > 2*ackWait
	}
	switch {
	case d.InHand > 0 && quiet:
		return Stalled
	case d.InHand == 0 && d.Pulls == 0:
		return Unattended
	case d.InHand == 0 && d.Lag == 0:
		return Idle
	}
	return Running
}
