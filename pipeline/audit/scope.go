package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// A Lane is one durable and where its answers go.
type Lane struct {
	AppID    string
	Stream   string   // the input
	Subjects []string // what the lane listens to, without wildcards
	Durable  string
	Output   string // stream of the records
	Dead     string // stream of the dead letters; it may be the same
	Several  bool   // the account has other outputs too, and a dead letter may be for one of those alone

	// OutputSubject and DeadSubject, if they are not empty, are where the
	// answers are, wildcards allowed: with several accounts in one stream the
	// others' need not be read then.
	OutputSubject, DeadSubject string

	// Waiting, if it is not nil, says instead of a durable which events need no
	// answer yet, by their Nats-Msg-Id. It is for events that jobs answer, each
	// with a durable of its own for the time: see Part.
	Waiting func(id string) bool
	Part    string // of the account, for the report: empty is what its live lane listens to

	Fields map[string]string // where the producer keeps an event's fields: see events.Decoder
}

// named is the output, where there are others.
func (l *Lane) named() string {
	if l.Several {
		return l.Output
	}
	return ""
}

// DefaultLane is the lane of an account that says nothing special.
func DefaultLane(appid string) Lane {
	return Lane{
		AppID: appid, Stream: "WX_EVENTS", Subjects: []string{"wx.events." + appid + ".subscribe"},
		Durable: "wxenrich-" + appid, Output: "WX_PROFILES", Dead: "WX_DEAD",
	}
}

// Scope is what to audit. Sequences are of the input stream and included; a
// bound that is zero is none.
type Scope struct {
	Lanes   []Lane
	FromSeq uint64
	ToSeq   uint64
	Since   time.Time // events stored at this time or later
	Until   time.Time // events stored before this time

	// Purged, if it is not nil, tells which dead letters a person has removed for
	// good: else their events would be missing. It is called when the letters have
	// been read; whoever removes one writes it down first.
	Purged func(context.Context) ([]Purged, error)

	// Erased, if it is not nil, tells which messages were removed because of whom
	// they were about: they are counted, and not missed. It is called like Purged.
	Erased func(context.Context) ([]Erased, error)
	// Forgotten, if it is not nil, reports whether a person is erased, to whose
	// event of that type and time there need be no answer.
	Forgotten func(appid, openid, kind string, stored time.Time) bool

	Repeats bool // look for the producer's repeats too, and name those of replays
	Show    int  // how many events to name of each kind and lane; default 20, negative none
	OpenIDs bool // with their openids

	// Progress, if it is not nil, is called now and then by the goroutine of
	// Run, with how many messages of a stream are read and how many there are.
	Progress func(stream string, done, total uint64)
}

// Purged is an event whose dead letter was removed.
type Purged struct {
	Dead   string        // the stream of the letter
	Source events.Source // without its subject
	Hop    int           // how many redrives led to the letter
}

// Erased is a message that was removed: an event, or an answer.
type Erased struct {
	Stream  string
	Seq     uint64
	Subject string    // of an event; empty: an answer
	Stored  time.Time // of an event
}

const defaultShow = 20

func (s *Scope) validate() error {
	if len(s.Lanes) == 0 || len(s.Lanes) >= math.MaxUint16 {
		return fmt.Errorf("audit: %d lanes, want 1 to %d", len(s.Lanes), math.MaxUint16-1)
	}
	for _, l := range s.Lanes {
		if l.AppID == "" || l.Stream == "" || len(l.Subjects) == 0 || l.Durable == "" && l.Waiting == nil || l.Output == "" || l.Dead == "" {
			return fmt.Errorf("audit: lane %q: AppID, Stream, Subjects, Durable, Output and Dead are needed", l.AppID)
		}
	}
	if s.ToSeq != 0 && s.ToSeq < s.FromSeq || !s.Until.IsZero() && s.Until.Before(s.Since) {
		return errors.New("audit: the range ends before it begins")
	}
	return nil
}

// has reports whether an event is in the range.
func (s *Scope) has(seq uint64, stored int64) bool {
	return seq >= s.FromSeq && (s.ToSeq == 0 || seq <= s.ToSeq) &&
		(s.Since.IsZero() || stored >= s.Since.UnixNano()) && (s.Until.IsZero() || stored < s.Until.UnixNano())
}
