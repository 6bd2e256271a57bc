package pipeline

import (
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// A charge is a refusal of one person alone before which the account worked
// for somebody. If it works for somebody afterwards too, the refusal stands,
// provided that the very token it was made with has worked for somebody: else a
// token of another account may have come and gone between the two.
type charge struct {
	err     error
	asked   moment // when the refused call began
	refused uint64 // how many calls had begun when it was refused
}

// askAlone asks for one person in a call of their own, with whatever comes of it.
func (l *Lane) askAlone(c contexts, it *item, o *outcome) {
	alone := []*item{it}
	users, began, err := l.batchGet(c, alone)
	if err != nil {
		l.fail(c, alone, began, err, o)
		return
	}
	l.finish(c, alone, users, began, o)
}

// proofWait is how long a charge waits for others to be answered by themselves
// before somebody is asked for its sake.
const proofWait = time.Second

// try decides about a person who is charged: they are not asked again. A lane
// that has nothing else to ask asks for somebody who is known to work.
func (l *Lane) try(c contexts, it *item, o *outcome) {
	ch := it.State.charge
	if !l.proof.after(ch.refused) {
		proven, failed := l.prove(c, ch.refused)
		if !proven {
			it.State.charge, it.State.doubted = nil, 0
			switch e := failure(failed); {
			case failed == nil: // nobody is known: it begins anew
				it.State.doubted = ch.refused
				o.doubt = append(o.doubt, it)
			case e == nil: // the lane stops
				o.back = append(o.back, it)
			default:
				o.back, o.hold = append(o.back, it), l.holdFor(e)
			}
			return
		}
	}
	if !l.proof.worked(ch.asked.token) {
		it.State.charge, it.State.doubted = nil, 0
		l.askAlone(c, it, o)
		return
	}
	o.refused++
	if failure(ch.err).Class == wechat.NotFollowing {
		l.answerAll(c, it, notFollowing(it.Key.openid), events.FromBatch, "", ch.asked, o)
		return
	}
	why := causeOf(events.Rejected, ch.err, it.State.calls)
	o.convicted = append(o.convicted, verdict{it.Key.openid, why})
	l.giveUp(c, it, why, o)
}
