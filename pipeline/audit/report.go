package audit

import "time"

// Report is what came of an audit.
type Report struct {
	Lanes    []Balance `json:"lanes"`    // in the order of Scope.Lanes
	Findings []Finding `json:"findings"` // the first of each kind and lane, by sequence
	Notes    []string  `json:"notes"`    // for a person: what to know when reading the numbers

	// Untold is how many messages have left the inputs of which no answer tells:
	// nobody can decide whether they were events of these lanes.
	Untold uint64 `json:"untold,omitempty"`

	// Short is how many of the unverifiable are missing for certain, although
	// nobody can say which: fewer dead letters are gone than events lack an answer.
	Short uint64 `json:"short,omitempty"`
}

// Balance is one lane's. In is the sum of the terms from Records to Missing.
type Balance struct {
	AppID    string `json:"appid"`
	Stream   string `json:"stream"`
	Part     string `json:"part,omitempty"`   // "backfill": the events of such jobs; empty: the live lane's
	Output   string `json:"output,omitempty"` // the stream of the records, where the account has several
	FirstSeq uint64 `json:"first_seq"`        // of the events counted; 0 when there is none
	LastSeq  uint64 `json:"last_seq"`

	// Forgets says that the input is a work queue, or goes by interest: In is what
	// answers tell of and what the durable has to answer, and Missing is not known.
	Forgets bool `json:"forgets,omitempty"`

	In           uint64 `json:"in"`
	Records      uint64 `json:"records"`
	DeadLetters  uint64 `json:"dead_letters"`
	Purged       uint64 `json:"purged"`       // had a dead letter, which a person has removed
	Replayed     uint64 `json:"replayed"`     // answered by replays only
	Pending      uint64 `json:"pending"`      // unanswered, above the durable's ack floor
	BeforeStart  uint64 `json:"before_start"` // unanswered, from before the durable was to begin
	Expired      uint64 `json:"expired"`      // the answer is there, the event has left the input
	Deleted      uint64 `json:"deleted"`      // the answer is there, the event was deleted inside the input
	Erased       uint64 `json:"erased"`       // removed because of whom it was about, or not answered for that
	Unverifiable uint64 `json:"unverifiable"` // unanswered, from before VerifiableFrom
	Missing      uint64 `json:"missing"`      // acknowledged and unanswered

	Doubled uint64  `json:"doubled"` // answers beyond one for each event and generation
	Repeats Repeats `json:"repeats"`

	// VerifiableFrom is since when the output and the dead letters still hold
	// every answer; zero when they have never dropped any.
	VerifiableFrom time.Time `json:"verifiable_from,omitzero"`

	AckFloor uint64 `json:"ack_floor"` // of the durable, as a sequence of the input
	InHand   int    `json:"in_hand"`   // delivered by the durable and not acknowledged
}

// Repeats counts answers beyond the first for what may be one thing, by who
// caused them. Redrive and Us together are Balance.Doubled.
type Repeats struct {
	Producer uint64 `json:"producer"` // events under an id that an earlier event has; 0 unless Scope.Repeats
	Replay   uint64 `json:"replay"`   // answered by a replay, and by the lane or another replay too
	Redrive  uint64 `json:"redrive"`
	Us       uint64 `json:"us"`
}

// A Culprit is who caused a repeat.
type Culprit string

// The culprits.
const (
	Producer Culprit = "producer"
	Replay   Culprit = "replay"
	Redrive  Culprit = "redrive"
	Us       Culprit = "us"
)

// A Kind of Finding. Only Missing and Doubled break the law.
type Kind string

// The kinds.
const (
	Missing  Kind = "missing"
	Doubled  Kind = "doubled"
	Repeated Kind = "repeated" // only with Scope.Repeats
)

// Finding names one event.
type Finding struct {
	Kind        Kind      `json:"kind"`
	AppID       string    `json:"appid"`
	Stream      string    `json:"stream"`
	Seq         uint64    `json:"seq"`
	Output      string    `json:"output,omitempty"` // the stream of the records, where the account has several
	Stored      time.Time `json:"stored"`
	EventID     string    `json:"event_id,omitempty"` // empty when the event has left the input
	OpenID      string    `json:"openid,omitempty"`   // only with Scope.OpenIDs
	Culprit     Culprit   `json:"culprit,omitempty"`  // not of Missing
	Replay      string    `json:"replay,omitempty"`   // the generation, if it is not the live one
	Records     int       `json:"records,omitempty"`  // answers of this generation
	DeadLetters int       `json:"dead_letters,omitempty"`
	Earlier     uint64    `json:"earlier,omitempty"` // of a producer's repeat: sequence of an event with the same id

	lane int
}

// Holds reports whether no event is missing or doubled, as far as that can be
// told.
func (r *Report) Holds() bool {
	sum := r.Sum()
	return sum.Missing == 0 && sum.Doubled == 0 && r.Short == 0
}

// Sum adds the lanes' counts; what is not a count is left out, but for Forgets.
func (r *Report) Sum() Balance {
	var s Balance
	for i := range r.Lanes {
		b := &r.Lanes[i]
		s.Forgets = s.Forgets || b.Forgets
		s.In += b.In
		s.Records += b.Records
		s.DeadLetters += b.DeadLetters
		s.Purged += b.Purged
		s.Replayed += b.Replayed
		s.Pending += b.Pending
		s.BeforeStart += b.BeforeStart
		s.Expired += b.Expired
		s.Deleted += b.Deleted
		s.Erased += b.Erased
		s.Unverifiable += b.Unverifiable
		s.Missing += b.Missing
		s.Doubled += b.Doubled
		s.Repeats.Producer += b.Repeats.Producer
		s.Repeats.Replay += b.Repeats.Replay
		s.Repeats.Redrive += b.Repeats.Redrive
		s.Repeats.Us += b.Repeats.Us
		s.InHand += b.InHand
	}
	return s
}
