package audit

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

// idAt says that an event has an id, by the id's hash: of a million ids two
// have the same hash in one of thirty million audits.
type idAt struct{ hash, seq uint64 }

var seed = maphash.MakeSeed()

func (b *book) noteID(lane int, seq uint64, id string) {
	if id != "" {
		b.ids = append(b.ids, idAt{maphash.String(seed, id) ^ uint64(lane), seq})
	}
}

// noteProducerIDs notes the ids that a producer has put in headers.
func (b *book) noteProducerIDs(lane int, seq uint64, h nats.Header) {
	b.noteID(lane, seq, value(h, events.HeaderMsgID))
	b.noteID(lane, seq, value(h, "ce-id"))
}

// noteEventID notes the id that an answer gives its event, unless it is one
// that we have made of the event's place.
func (b *book) noteEventID(lane int, a *answer) {
	if rest, ok := strings.CutPrefix(a.eventID, a.src.Stream+"-"); ok && rest == strconv.FormatUint(a.src.Seq, 10) {
		return
	}
	b.noteID(lane, a.src.Seq, a.eventID)
}

// settleProducer counts the events whose id an earlier event has.
func (r *run) settleProducer(input string, b *book) {
	slices.SortFunc(b.ids, func(x, y idAt) int { return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.seq, y.seq)) })
	var first idAt
	for i, id := range b.ids {
		if i == 0 || id.hash != first.hash {
			first = id
		}
		if id.seq == first.seq {
			continue
		}
		s := b.slots.of(id.seq)
		if s.flags&repeated != 0 || b.elsewhere(id.seq, s) {
			continue
		}
		s.flags |= repeated
		repeats := &r.report.Lanes[s.lane].Repeats
		repeats.Producer++
		r.find(repeats.Producer, Finding{Kind: Repeated, Culprit: Producer, Stream: input, Seq: id.seq, Earlier: first.seq}, s)
	}
	b.ids = nil
}
