package pipeline

import (
	"slices"
	"sync/atomic"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/match"
)

// Stats counts what a lane does. Counting costs one atomic add; exporters read
// a copy when they are asked.
type Stats struct {
	received, records, handedBack   atomic.Int64
	groups, openids, calls, retries atomic.Int64
	missing, noUnionID, inHand      atomic.Int64
	saved, repeats, lookBacks       atomic.Int64
	lookedAt, erased                atomic.Int64
	dead                            [len(deadReasons)]atomic.Int64
	doubts                          [len(doubts)]atomic.Int64
	skipped                         atomic.Int64 // events that a task leaves out
	samples                         atomic.Int64
	differ                          [len(differences)]atomic.Int64
}

var (
	deadReasons = [...]events.Reason{
		events.Undecodable, events.WrongAccount, events.InvalidOpenID, events.Rejected,
		events.Unresolved, events.TooLarge, events.Exhausted, events.Crashed,
	}
	doubts      = [...]match.Doubt{match.Doubled, match.Unasked, match.UnionIDTwice, match.ManyBlanks, match.Moved, match.Changed, match.Sampled}
	differences = [...]string{differSubscribe, differUnionID, differOther}
)

// Counts are a lane's counters at one moment, since the lane was made.
type Counts struct {
	Received   int64 // events taken in
	Records    int64 // records stored
	HandedBack int64 // events given back unanswered, by a stop or a hold
	Batches    int64 // groups looked up
	OpenIDs    int64 // openids in them
	Calls      int64 // API calls for data, retries and probes included
	Retries    int64 // waits before a repeated call
	Saved      int64 // events that an earlier look-up answered
	Repeats    int64 // events delivered again whose answer was there already
	LookBacks  int64 // reads of the output's headers to find such answers
	LookedAt   int64 // headers read for that
	Erased     int64 // events about erased people, for whom nothing was stored
	Missing    int64 // openids without a row in their answer
	NoUnionID  int64 // followers without a unionid, where others have one
	InHand     int64 // events in hand now

	DeadLetters map[events.Reason]int64 // dead letters stored; all reasons are there
	Doubts      map[string]int64        // answers that contradicted themselves, by how
	Samples     int64                   // rows of batches compared with user/info
	Differences map[string]int64        // of those, what differed, by field
}

// Counts reads all counters. Each is exact; together they are of about the
// same moment. It is safe for concurrent use.
func (s *Stats) Counts() Counts {
	c := s.sums()
	c.DeadLetters = make(map[events.Reason]int64, len(deadReasons))
	c.Doubts = make(map[string]int64, len(doubts))
	c.Differences = make(map[string]int64, len(differences))
	for i, r := range deadReasons {
		c.DeadLetters[r] = s.dead[i].Load()
	}
	for i, d := range differences {
		c.Differences[d] = s.differ[i].Load()
	}
	for i, d := range doubts {
		c.Doubts[string(d)] = s.doubts[i].Load()
	}
	return c
}

// sums is Counts without what is counted by reason.
func (s *Stats) sums() Counts {
	return Counts{
		Received: s.received.Load(), Records: s.records.Load(), HandedBack: s.handedBack.Load(),
		Batches: s.groups.Load(), OpenIDs: s.openids.Load(), Calls: s.calls.Load(), Retries: s.retries.Load(),
		Saved: s.saved.Load(), Repeats: s.repeats.Load(), LookBacks: s.lookBacks.Load(), LookedAt: s.lookedAt.Load(), Erased: s.erased.Load(), Missing: s.missing.Load(), NoUnionID: s.noUnionID.Load(), InHand: s.inHand.Load(),
		Samples: s.samples.Load(),
	}
}

// answered counts an answer that is stored.
func (s *Stats) answered(a answer) {
	if a.cause == nil {
		s.records.Add(1)
		return
	}
	if i := slices.Index(deadReasons[:], a.cause.reason); i >= 0 {
		s.dead[i].Add(1)
	}
}

// group counts a look-up of n openids.
func (s *Stats) group(n int) {
	s.groups.Add(1)
	s.openids.Add(int64(n))
}

// doubted counts an answer that contradicts itself.
func (s *Stats) doubted(d match.Doubt) {
	if i := slices.Index(doubts[:], d); i >= 0 {
		s.doubts[i].Add(1)
	}
}

// sampled counts a row that was compared, and what it differs in, if it does.
func (s *Stats) sampled(field string) {
	s.samples.Add(1)
	if i := slices.Index(differences[:], field); i >= 0 {
		s.differ[i].Add(1)
	}
}
