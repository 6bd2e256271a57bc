package status

import (
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// A Lane is an account and where its answers go.
type Lane struct {
	pipeline.Config // AppID, Stream, Durable, AckWait and the Quota keys count

	Records []Place // the outputs
	Dead    Place   // the dead letters
}

// Place is where answers are. The subject has wildcards for what varies. The
// server names all subjects to have them counted: where each person has one it
// is empty, and nothing is counted.
type Place struct{ Stream, Subject string }

// Report is how accounts fare at one moment. Its JSON form is for scripts: keys
// are added, never renamed. A key is absent if nobody can say.
type Report struct {
	At       time.Time `json:"at"`
	Accounts []Account `json:"accounts"`
	Notes    []string  `json:"notes,omitempty"` // what concerns all accounts
}

// Account is how one account fares.
type Account struct {
	AppID       string                   `json:"appid"`
	Phase       Phase                    `json:"phase"`
	Hint        string                   `json:"hint,omitempty"` // what to do, unless all is well
	Holds       []Hold                   `json:"holds,omitempty"`
	Durable     *Durable                 `json:"durable,omitempty"`
	Mark        *Mark                    `json:"mark,omitempty"`
	Records     *uint64                  `json:"records,omitempty"`     // in the output stream, the first if there are several
	Outputs     []Output                 `json:"outputs,omitempty"`     // all output streams, if there are several
	DeadLetters map[events.Reason]uint64 `json:"dead_letters,omitzero"` // in the stream, by reason, "other" for a subject without one; nil: there is no stream
	Quota       *Quota                   `json:"quota,omitempty"`
	Jobs        []Job                    `json:"jobs,omitempty"` // bulk work that is not over, the oldest first
	Erasures    *Erasures                `json:"erasures,omitempty"`
	Notes       []string                 `json:"notes,omitempty"`
}

// Erasures are the people who are to be erased and are not yet.
type Erasures struct {
	Waiting int       `json:"waiting"`
	Due     time.Time `json:"due"` // when the first is to go; one that has unsubscribed goes with the next pass behind that
}

// Job is bulk work, such as a replay.
type Job struct {
	ID    string    `json:"id"`
	Kind  job.Kind  `json:"kind"`
	State job.State `json:"state"`
	Done  int64     `json:"done"` // messages
	Total int64     `json:"total"`
	Note  string    `json:"note,omitempty"` // why it waits, or has failed
}

// Output is what one of several output streams holds.
type Output struct {
	Stream  string  `json:"stream"`
	Records *uint64 `json:"records,omitempty"`
}

// Hold is why an account, or one replica of it, rests.
type Hold struct {
	Reason  string    `json:"reason"` // as pipeline.Hold has it
	Code    int       `json:"errcode,omitempty"`
	RID     string    `json:"rid,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Hint    string    `json:"hint"`
	Since   time.Time `json:"since"`
	NextTry time.Time `json:"next_try,omitzero"` // zero: not before somebody says so
	Probes  int       `json:"probes"`
	By      string    `json:"by,omitempty"` // the replica that met it, or a person
	Replica bool      `json:"replica"`      // it holds that replica only
}

// Durable is the account's durable consumer.
type Durable struct {
	Stream      string    `json:"stream"`
	Name        string    `json:"name"`
	Lag         uint64    `json:"lag"`     // events that nobody has taken yet
	InHand      int       `json:"in_hand"` // events taken and not acknowledged
	Redelivered int       `json:"redelivered"`
	Pulls       int       `json:"pulls"`                // requests for events that wait at the server
	AckFloor    uint64    `json:"ack_floor"`            // every event up to this sequence is answered
	Delivered   uint64    `json:"delivered"`            // the last sequence that was taken
	Active      time.Time `json:"active,omitzero"`      // the last delivery or acknowledgement since the server started
	Oldest      time.Time `json:"oldest,omitzero"`      // when the oldest event without an answer was stored
	OldestAge   *float64  `json:"oldest_age,omitempty"` // the same in seconds
	Expires     time.Time `json:"expires,omitzero"`     // when the stream drops that one, answered or not; zero: never
	Rate        *float64  `json:"rate,omitempty"`       // events answered a second, between two readings

	created, at time.Time // at is by the server's clock
	settled     int64     // deliveries that are done with
}

// Mark is how far the account's replicas have said they may be.
type Mark struct {
	Floor uint64    `json:"floor"`
	May   uint64    `json:"may"`
	At    time.Time `json:"at"`
}

// Rates fills in the rates, from a reading before this one.
func (r *Report) Rates(before *Report) {
	earlier := make(map[string]*Durable, len(before.Accounts))
	for i := range before.Accounts {
		earlier[before.Accounts[i].AppID] = before.Accounts[i].Durable
	}
	for i := range r.Accounts {
		d, e := r.Accounts[i].Durable, earlier[r.Accounts[i].AppID]
		if d == nil || e == nil || !d.created.Equal(e.created) || !d.at.After(e.at) || d.settled < e.settled {
			continue
		}
		rate := float64(d.settled-e.settled) / d.at.Sub(e.at).Seconds()
		d.Rate = &rate
	}
}
