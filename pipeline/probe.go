package pipeline

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

const (
	// peeked is how many waiting events a probe looks at if nobody who is known
	// to work does.
	peeked = 100
	// asked is how many of their people it asks for: the first one to be
	// answered ends it, and so many refused are hardly all bad.
	asked = 5
	// wayBack is how long an event may take to the server that was handed back
	// right before the probe.
	wayBack = time.Second
)

// probe tries whether the account works again. It returns nil if it does, or
// the hold that it is in.
func (l *Lane) probe(c contexts, consumer jetstream.Consumer, h *Hold) *Hold {
	if h.Reason == HoldManual {
		return nil // its time is over
	}
	var last *wechat.Error
	for _, known := range []bool{true, false} {
		people := l.knownGood()
		if !known {
			people = l.peek(c, consumer) // whoever is known may have left WeChat
		}
		for _, openid := range people {
			err := l.ask(c, openid)
			e := failure(err)
			switch {
			case err == nil:
				l.proof.good(openid)
				return l.leftOf(h)
			case e == nil: // the lane stops
				return h
			case refused(err) && !known && h.Reason != HoldWrongAccount:
				return l.leftOf(h) // whoever that is
			}
			if last = e; !refused(err) {
				break
			}
		}
		if last != nil && !refused(last) {
			break // the account itself is at fault: nobody else is any better
		}
	}
	if last == nil { // nobody to ask for: if there is a token, only the next events can tell
		err := l.tokenless(c)
		if err == nil {
			return nil
		}
		if last = failure(err); last == nil || c.stop.Err() != nil {
			return h
		}
	}
	h.Probes++
	if refused(last) && h.Reason == HoldWrongAccount || last.Class == wechat.Transient || last.Class == wechat.MinuteLimit {
		return h
	}
	next := l.holdFor(last)
	next.Since, next.Probes, next.By = h.Since, h.Probes, h.By
	return next
}

// tokenless is why the account cannot be asked anything, as far as that is known
// without asking.
func (l *Lane) tokenless(c contexts) error {
	if l.obtain == nil {
		return nil
	}
	return l.obtain(c.stop)
}

// leftOf is what is left of a hold of an account that WeChat answers again: nothing,
// unless our own limits were all there was and leave nothing still.
func (l *Lane) leftOf(h *Hold) *Hold {
	now := time.Now()
	if !h.byOurLimits() {
		return nil
	}
	next := l.budget.spent(now, l.rand)
	if next == nil {
		return nil
	}
	next.Detail = "WeChat answers, but " + next.Detail
	next.Since, next.Probes, next.By = h.Since, h.Probes+1, h.By
	return next
}

// ask makes one call for one person, and another one with a new token if the
// token was refused: it may have ended while nobody called.
func (l *Lane) ask(c contexts, openid string) error {
	c.probe = true
	op := func(ctx context.Context) error {
		_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: openid, Lang: l.cfg.Lang}})
		return err
	}
	err := l.call(c, 1, op)
	if e := failure(err); e != nil && e.Class == wechat.StaleToken {
		err = l.call(c, 1, op)
	}
	return err
}

// peek is some of the people who wait, chosen at random: those at the head of
// the stream may all be bad. Their events go back when all have come: sooner,
// they would come again. Nobody looks into one that was in hand in a crash, but
// a delivery count says nothing here, since each probe adds to it.
func (l *Lane) peek(c contexts, consumer jetstream.Consumer) []string {
	if consumer == nil {
		return nil
	}
	var ds []*delivery
	defer l.dying(func() []*delivery { return ds })
	take := func(batch jetstream.MessageBatch, err error) {
		if err != nil {
			return
		}
		for msg := range batch.Messages() {
			if d, err := l.newDelivery(fetched{msg}); err == nil {
				ds = append(ds, d)
			}
		}
	}
	if take(consumer.FetchNoWait(peeked)); len(ds) == 0 { // what was in hand may be on its way back
		take(consumer.Fetch(1, jetstream.FetchMaxWait(wayBack)))
	}
	var people []string
	for _, d := range ds {
		if !l.struck(d) {
			d.decode(&l.decoder)
		}
		if d.rejection == nil && events.ValidOpenID(d.event.OpenID) {
			people = append(people, d.event.OpenID)
		}
	}
	for _, d := range ds {
		d.handBack()
	}
	for i := range min(asked, len(people)) {
		j := i + int(l.rand()*float64(len(people)-i))
		people[i], people[j] = people[j], people[i]
	}
	return people[:min(asked, len(people))]
}

// claimed is what came of the time to try the account again.
type claimed struct {
	hold *Hold // nil: it works again
	rev  uint64
	lost bool // another replica does it
}

// tryAgain probes the account, unless another replica does.
func (l *Lane) tryAgain(c contexts, consumer jetstream.Consumer, h Hold, rev uint64) claimed {
	ctx := c.abort // what is learned is told, also by a lane that stops
	if rev > 0 {
		mine := h
		mine.Prober, mine.Probing = l.board.replica, time.Now().Add(probeLease)
		switch next, err := l.postHold(ctx, &mine, rev); {
		case err == errOutrun:
			return claimed{lost: true}
		case err == nil:
			rev = next
		default:
			rev = 0 // nobody else will hear of it: go on alone
		}
	}
	h.Prober, h.Probing = "", time.Time{}
	before := h.Probes
	next := l.probe(c, consumer, &h)
	if next == nil {
		if rev > 0 {
			// If it fails the others find out by themselves, unless somebody has
			// written another hold meanwhile.
			if err := l.board.remove(ctx, l.holdKey(&h), rev); err == errOutrun {
				return claimed{lost: true}
			}
		}
		return claimed{rev: rev}
	}
	if next.Probes > before {
		next.schedule(time.Now(), l.rand)
	}
	if rev > 0 {
		rev, _ = l.postHold(ctx, next, rev) // 0 on an error: alone from here
	}
	return claimed{hold: next, rev: rev}
}

// fetched is a message that the client has fetched. Its metadata are of another
// type than those of what a pull brings, where making one of the other for each
// event would cost.
type fetched struct{ jetstream.Msg }

func (m fetched) Metadata() (*nats.MsgMetadata, error) {
	meta, err := m.Msg.Metadata()
	if err != nil {
		return nil, err
	}
	return &nats.MsgMetadata{
		Sequence:     nats.SequencePair{Consumer: meta.Sequence.Consumer, Stream: meta.Sequence.Stream},
		NumDelivered: meta.NumDelivered, NumPending: meta.NumPending,
		Timestamp: meta.Timestamp, Stream: meta.Stream, Consumer: meta.Consumer, Domain: meta.Domain,
	}, nil
}
