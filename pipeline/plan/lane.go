package plan

import "time"

// Lane is what a lane will do to its streams and its durable.
type Lane struct {
	AppID    string
	Subjects []string // what the durable is to be filtered by

	Batch         int // openids in a call
	Prefetch      int // events that one pull asks for
	InHand        int // events that one replica holds at most
	MaxAckPending int // that the lane would give a durable of its own
	MaxPayload    int // bytes of an event that are looked at

	AckWait    time.Duration // that the lane would give a durable of its own
	Window     time.Duration // the longest wait of a batch
	Call       time.Duration // the longest call; 0 if that is not known
	Publish    time.Duration // the longest wait for a publish's ack
	PullExpiry time.Duration // of a pull request

	Replicas int // servers that keep the input; 0 if that is not known

	Atomic   bool // answers are published in atomic batches
	InMemory bool // that the lane would keep the state of a durable of its own in memory only
}

// budget is how long an event is in hand while nothing fails: in a batch, in a
// call, and on its way to the output.
func (l *Lane) budget() time.Duration { return l.Window + l.Call + l.Publish }

const (
	// LongestHold is how long an account may be on hold without anybody being
	// to blame: from Friday evening, when a secret is refused, to Monday morning,
	// and a day more, on which the quota is gone.
	LongestHold = 4 * 24 * time.Hour

	// leastAckWait leaves a second and a half for a beat, which comes at a third
	// of it, and lets one of them get lost.
	leastAckWait = 5 * time.Second

	// longestAckWait is how long somebody may have to wait whose event was in
	// hand when a replica died.
	longestAckWait = 5 * time.Minute

	// pulls is how many requests for events a replica may have with the server.
	pulls = 2

	// leastWaiting is room for the requests of four replicas.
	leastWaiting = 4 * pulls

	// headroom is for the headers of a dead letter.
	headroom = 8 << 10

	// roomyRecord is more than any record of WeChat's fields.
	roomyRecord = 32 << 10
)
