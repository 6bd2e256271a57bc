// Package explain tells the story of single events, from what the streams and
// durables hold: nobody has to have watched.
package explain

import (
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// Story is all that can be said of one event. Its JSON form is for scripts:
// keys are added, never renamed.
type Story struct {
	AppID   string    `json:"appid"` // empty: its subject is of no account that was asked about
	Stream  string    `json:"stream"`
	Seq     uint64    `json:"seq"`
	Stored  time.Time `json:"stored"`
	Subject string    `json:"subject,omitempty"`
	EventID string    `json:"event_id,omitempty"`
	OpenID  string    `json:"openid,omitempty"`
	Type    string    `json:"type,omitempty"`
	Time    time.Time `json:"time,omitzero"`   // when it happened, by the producer
	Fault   string    `json:"fault,omitempty"` // why it cannot be read
	Trace   string    `json:"traceparent,omitempty"`

	Standing Standing `json:"standing"`
	Behind   uint64   `json:"behind,omitempty"` // Waiting: events of the stream between the last that was taken and this one
	Answers  []Answer `json:"answers"`          // as they were stored
}

// Standing is how it stands with an event.
type Standing string

// The standings.
const (
	Answered    Standing = "answered"
	Waiting     Standing = "waiting"      // nobody has taken it yet
	InHand      Standing = "in_hand"      // taken and not acknowledged, as far as the durable says
	Unanswered  Standing = "unanswered"   // acknowledged, and no answer is there any more, or ever was
	Purged      Standing = "purged"       // acknowledged, and a person has removed its dead letter
	Erased      Standing = "erased"       // acknowledged, and the person is erased: nothing is stored
	BeforeStart Standing = "before_start" // from before the durable was to begin
	ForJob      Standing = "for_job"      // a job is to answer it, such as a backfill, and is not done
	NotHeard    Standing = "not_heard"    // on a subject that no durable listens to
	NoDurable   Standing = "no_durable"
)

// Answer is a record or a dead letter of the event.
type Answer struct {
	Kind   string    `json:"kind"` // "record" or "dead_letter"
	Stream string    `json:"stream"`
	Seq    uint64    `json:"seq"`
	Stored time.Time `json:"stored"`
	Replay string    `json:"replay,omitempty"` // the replay that it is of
	Hop    int       `json:"hop,omitempty"`    // redrives that led to it

	Deliveries int `json:"deliveries"` // how often the event had been delivered

	Status    events.Status `json:"status,omitempty"`
	Source    string        `json:"source,omitempty"`    // of a record: "batchget", "info", "recent"; empty if nobody was asked
	FetchedAt time.Time     `json:"fetched_at,omitzero"` // when that call began: all records of one call have the same

	Reason   events.Reason `json:"reason,omitempty"`
	Code     int           `json:"errcode,omitempty"`
	Detail   string        `json:"message,omitempty"`
	Attempts int           `json:"attempts,omitempty"` // calls that were made for it
}

// The kinds of answers.
const (
	Record     = "record"
	DeadLetter = "dead_letter"
)
