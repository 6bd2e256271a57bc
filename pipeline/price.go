package pipeline

import (
	"context"
	"hash/maphash"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// A Price is what a replay would take, as far as its events and the dead letters
// tell: faults of WeChat come on top.
type Price struct {
	Messages int64 // in the range
	Skipped  int64 // of those, left out by the job's filters
	Free     int64 // answered without a call: dead letters at once, and unsubscribes
	OpenIDs  int64 // different people to look up
	LookUps  int64 // of openids; more than OpenIDs where memory does not hold all answers
	Calls    int64 // API calls, if nobody is refused

	Refused  int64   // of OpenIDs, those of whom there is a dead letter since WeChat has refused them
	New      int64   // of LookUps, those for events that nobody has answered yet
	Share    float64 // of the account's people who were refused, which is taken for that of New
	Expected Outlook // if those are refused again, and so many of New

	BatchSize int // openids in a call
}

// PriceReplay reads the range of a replay and says what it would take, under
// the configuration of its lane. No call is made and nothing is written. board, which
// may be nil, knows which backfills have answered their events; memory is what
// [NewRecent] is given, in bytes; progress may be nil.
func PriceReplay(ctx context.Context, js jetstream.JetStream, board *Board, cfg Config, j *job.Job, memory int64, progress func(done, total uint64)) (Price, error) {
	if j.Spec.Records {
		return priceRecords(ctx, js, cfg, j, progress)
	}
	dec := events.Decoder{AppID: cfg.AppID, Fields: cfg.Fields, MaxPayload: cfg.MaxPayload}
	keep := keepOnly(j.Spec)
	p := Price{BatchSize: cfg.BatchSize}
	past, err := readPast(ctx, js, board, cfg, &dec)
	if err != nil {
		return p, err
	}
	p.Share = past.share
	people := make(map[uint64]refusals) // who is refused
	held := cfg.BatchSize               // whoever waits for a call is not asked for again either
	if memory > 0 {
		held *= cfg.Concurrency // nor who is being looked up, if the answer is kept
	}
	answered, refused := newForgetful(int(memory/typicalAnswer)+held), newForgetful(2*refusedMax)
	q, _ := board.Quota(cfg, time.Now())
	best := NewRehearsal(cfg, j.Spec.Rate, q.Call)
	guesses := newBounds(past, cfg, j.Spec, q.Call)
	end := (*Rehearsal).endUnseen
	span := scan.Span{Stream: j.Range.Stream, Subjects: j.Range.Subjects, From: j.Range.From, End: j.Range.To, Bodies: true, Progress: progress}
	err = scan.Read(ctx, js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		p.Messages++
		switch {
		case meta.Sequence.Stream == j.Range.To:
			end = (*Rehearsal).End
		case meta.NumPending > 0:
			end = (*Rehearsal).endBehind
		default:
			end = (*Rehearsal).endUnseen
		}
		e, err := dec.Decode(events.Message{
			Source: events.Source{Stream: meta.Stream, Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()},
			Header: m.Headers(), Data: m.Data(),
		})
		if keep != nil && !keep(&e) {
			p.Skipped++
			return true
		}
		best.Event()
		guesses.event()
		switch {
		case err != nil || strings.EqualFold(e.Type, "unsubscribe"):
			p.Free++
			return true
		}
		if e.Lang == "" {
			e.Lang = cfg.Lang
		}
		person := maphash.String(seed, e.OpenID)
		fate, met := people[person]
		if !met {
			known, fresh := past.refused.has(e.OpenID), !past.answered(&e)
			if known {
				p.Refused++
			} else if fresh {
				p.New++
			}
			fate = guesses.meet(known, fresh)
			people[person] = fate
		}
		kept := answered
		if fate.likely() {
			kept = refused
		}
		if !kept.knows(maphash.Comparable(seed, key{e.OpenID, e.Lang})) {
			p.LookUps++
			best.LookUp(e.OpenID, false)
			guesses.lookUp(e.OpenID, fate)
		}
		return true
	})
	p.OpenIDs = int64(len(people))
	p.Calls = end(best).Calls
	p.Expected = guesses.end(end)
	return p, err
}

// typicalAnswer is about what one answer takes in a [Recent].
const typicalAnswer = 600

// forgetful is whose answers a [Recent] of a size would hold.
type forgetful struct {
	most  int
	order []uint64 // hashes, in a ring
	next  int      // the oldest of them, which is forgotten next
	there map[uint64]struct{}
}

func newForgetful(most int) *forgetful {
	return &forgetful{most: max(1, most), there: make(map[uint64]struct{})}
}

// knows reports whether an answer is there, and has it there from now on.
func (f *forgetful) knows(who uint64) bool {
	if _, ok := f.there[who]; ok {
		return true
	}
	f.there[who] = struct{}{}
	if len(f.order) < f.most {
		f.order = append(f.order, who)
		return false
	}
	delete(f.there, f.order[f.next])
	f.order[f.next] = who
	f.next = (f.next + 1) % len(f.order)
	return false
}

// typicalRate is how many events a second a lane settles, next to others.
const typicalRate = 5000

// Takes is about how long the work takes if nothing stands in its way: calls
// in the slots that live traffic leaves, and the events to settle.
func (p Price) Takes(rate float64) time.Duration {
	if rate <= 0 || rate > typicalRate {
		rate = typicalRate
	}
	settle := time.Duration(float64(p.Messages-p.Skipped) / rate * float64(time.Second))
	return max(settle, p.Expected.Lasts)
}

// Days is on how many days the work spends quota: what is left of today's share,
// and of that of as many more as it takes; q is what is known of the quota. 0:
// nobody has said what a day has.
func (p Price) Days(cfg Config, q Quota) int64 {
	share, left := p.share(cfg, q)
	cost := p.Cost(q)
	if share <= 0 || cost == 0 {
		return 0
	}
	if cost <= left {
		return 1
	}
	days := (cost - left + share - 1) / share
	if !p.Waits(cfg, q) {
		days++
	}
	return days
}

// Waits reports whether the work stands until midnight: other bulk work has spent
// its share of today's quota, up to less than a call.
func (p Price) Waits(cfg Config, q Quota) bool {
	call := int64(p.BatchSize)
	if q.Unit == "call" {
		call = 1
	}
	share, left := p.share(cfg, q)
	return p.Expected.Calls > 0 && share > 0 && q.Bulk > 0 && left < call
}

// GoesOn is when the work goes on that today's share of the quota does not suffice
// for; zero if it does, as far as anybody knows.
func (p Price) GoesOn(cfg Config, q Quota, now time.Time) time.Time {
	if share, left := p.share(cfg, q); share <= 0 || p.Cost(q) <= left && !p.Waits(cfg, q) {
		return time.Time{}
	}
	return quota.Midnight(now)
}

// share is what bulk work may spend of a day's quota, and what is left of today's.
func (p Price) share(cfg Config, q Quota) (share, left int64) {
	share = int64(float64(q.Limit) * cfg.BulkShare)
	return share, max(0, share-q.Bulk)
}

// Cost is what the work takes from the quota, in its unit.
func (p Price) Cost(q Quota) int64 {
	if q.Unit == "call" {
		return p.Expected.Calls
	}
	return p.Expected.Asked
}
