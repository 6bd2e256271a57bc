package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/match"
	"github.com/wxenrich/wxenrich/wechat"
)

// A vote is what an answer that is not believed by itself says of a person.
type vote struct {
	unionid string
	follows bool
}

func voteOf(u *wechat.User) vote { return vote{u.UnionID, u.Subscribe == 1} }

const (
	// unusableLimit is how many answers may pass without a row to rely on
	// before a person is asked for alone; as many again, and there is no answer.
	unusableLimit = 6
	// shortWait is how long an answer may wait for others to be stored without that
	// being a sign of too many: they come in bursts.
	shortWait = 5 * time.Millisecond
	// smallGroup is asked singly rather than divided any further.
	smallGroup = 2
)

// finish settles the items that an answer answers, and sorts out the others.
func (l *Lane) finish(c contexts, items []*item, users []wechat.User, began moment, o *outcome) {
	s := sheets.Get().(*sheet)
	defer s.free()
	for _, it := range items {
		s.asked = append(s.asked, it.Key.openid)
	}
	users = slices.DeleteFunc(users, func(u wechat.User) bool { return u.Blank() }) // as good as no row
	for i := range users {
		u := &users[i]
		s.rows = append(s.rows, match.Row{OpenID: u.OpenID, UnionID: u.UnionID, Follows: u.Subscribe == 1})
	}
	found, doubt := match.Match(s.asked, s.rows)
	if doubt == match.None {
		doubt = l.contradicted(items, s.rows, found)
	}
	if doubt == match.None {
		doubt = l.hear(c, items, s.rows, found, o)
	}
	if doubt != match.None {
		l.doubtful(c, items, users, found, doubt, o)
		return
	}
	for i, it := range items {
		if found[i] == elsewhere {
			continue
		}
		if found[i] < 0 {
			l.stats.missing.Add(1)
			l.unanswered(c, it, o)
			continue
		}
		u := &users[found[i]]
		if !l.agreed(it, u) {
			l.unanswered(c, it, o)
			continue
		}
		if u.Subscribe == 0 && l.lookTwice(it, o) {
			continue
		}
		if u.Subscribe == 0 && l.lookAlone(it) {
			l.single(c, it, o)
			continue
		}
		s.people, s.users = append(s.people, it), append(s.users, u)
	}
	l.answerRows(c, s, began, o)
}

// answerRows answers a sheet's people with the rows of a batch that is believed.
func (l *Lane) answerRows(c contexts, s *sheet, began moment, o *outcome) {
	ready := time.Now()
	select {
	case l.storing <- struct{}{}:
		defer func() { <-l.storing }() // before the loop hears of it
	case <-c.stop.Done(): // whoever stops does not wait
	}
	o.stored, o.waited = true, o.waited || time.Since(ready) > shortWait
	for i, it := range s.people {
		l.learn(s.users[i])
		marker := l.lacking(s.users[i])
		for _, d := range it.Waiters {
			s.answers = append(s.answers, l.record(d, s.users[i], events.FromBatch, marker, began.time))
		}
	}
	l.seconds.earn(len(s.people))
	l.settle(c, s.answers)
	for i, it := range s.people {
		l.remember(it, s.users[i], began)
	}
	o.done = append(o.done, s.people...)
}

// learn notes what an answer that is believed says of the account.
func (l *Lane) learn(u *wechat.User) {
	if u.Subscribe != 1 {
		return
	}
	l.proof.good(u.OpenID)
	if u.UnionID == "" {
		return
	}
	l.unionIDs.had()
	l.known.Learn(u.OpenID, u.UnionID)
}

// contradicted doubts a batch that says of somebody what user/info does not, or
// that gives them another unionid than an earlier answer did. Those who are asked again are not weighed like that: an account can
// be bound elsewhere, and then the answers agree about it.
func (l *Lane) contradicted(items []*item, rows []match.Row, found []int) match.Doubt {
	for i, r := range found {
		if notes := &items[i].State; notes.alone != nil {
			notes.votes, notes.alone = append(notes.votes, *notes.alone), nil
			return match.Sampled
		}
		if r < 0 || rows[r].UnionID == "" || len(items[i].State.votes) > 0 {
			continue
		}
		if same, known := l.known.Compare(rows[r].OpenID, rows[r].UnionID); known && !same {
			return match.Changed
		}
	}
	return match.None
}

// agreed reports whether a row may go out. After an answer that could not be
// believed it takes a second one that says the same, or one before that did.
func (l *Lane) agreed(it *item, u *wechat.User) bool {
	if len(it.State.votes) == 0 || slices.Contains(it.State.votes, voteOf(u)) {
		return true
	}
	if same, _ := l.known.Compare(u.OpenID, u.UnionID); same && u.Subscribe == 1 {
		return true
	}
	it.State.votes = append(it.State.votes, voteOf(u))
	return false
}

// doubtful handles a batch that cannot be believed: none of its rows goes out.
// Its people are asked again in other company, because it is the neighbours
// that make WeChat mix up rows: first in another order, then in halves.
func (l *Lane) doubtful(c contexts, items []*item, users []wechat.User, found []int, why match.Doubt, o *outcome) {
	l.stats.doubted(why)
	l.log.Warn("an answer contradicts itself; its people are asked again in other groups",
		slog.String("doubt", string(why)), slog.Int("openids", len(items)))
	first := true
	var even, odd []*item
	for i, it := range items {
		first = first && it.State.unusable == 0
		it.State.unusable++
		if found[i] >= 0 {
			it.State.votes = append(it.State.votes, voteOf(&users[found[i]]))
		}
		switch {
		case found[i] == elsewhere:
		case it.State.unusable >= unusableLimit || len(items) <= smallGroup:
			l.single(c, it, o)
		case i%2 == 0:
			even = append(even, it)
		default:
			odd = append(odd, it)
		}
	}
	if first {
		even, odd = append(even, odd...), nil
	}
	for _, group := range [][]*item{even, odd} {
		if len(group) > 0 {
			o.ready = append(o.ready, group)
		}
	}
}

// unanswered handles a person without a row to rely on in an answer that is
// otherwise sound: asked again with others, and in the end alone.
func (l *Lane) unanswered(c contexts, it *item, o *outcome) {
	it.State.unusable++
	if it.State.unusable >= unusableLimit {
		l.single(c, it, o)
		return
	}
	o.back = append(o.back, it)
}

// single asks for one person through user/info, which has no neighbours to be
// mixed up with.
func (l *Lane) single(c contexts, it *item, o *outcome) {
	user, began, err := l.userInfo(c, it)
	switch {
	case err != nil:
		l.fail(c, []*item{it}, began, err, o)
	case user.OpenID == it.Key.openid && !user.Blank():
		l.answerSingle(c, it, &user, began, o)
	default:
		it.State.unusable++
		if it.State.unusable < 2*unusableLimit {
			o.back = append(o.back, it)
			return
		}
		l.giveUp(c, it, &cause{reason: events.Unresolved, detail: "every answer was blank or for somebody else", attempts: it.State.calls}, o)
	}
}

func (l *Lane) userInfo(c contexts, it *item) (user wechat.User, began moment, err error) {
	err = l.attempt(c, 1, func(ctx context.Context) (err error) {
		began = l.now()
		it.State.calls++
		user, err = l.wechat.UserInfo(ctx, wechat.Query{OpenID: it.Key.openid, Lang: it.Key.lang})
		began.token = wechat.NotedToken(ctx)
		return err
	})
	return user, began, err
}

// answerSingle answers with a row that was asked for alone: there is nothing
// better to be had.
func (l *Lane) answerSingle(c contexts, it *item, u *wechat.User, began moment, o *outcome) {
	l.learn(u)
	l.answerAll(c, it, u, events.FromSingle, l.lacking(u), began, o)
}

// lacking is the marker of a row that goes out without the unionid that it
// should have, else "".
func (l *Lane) lacking(u *wechat.User) (marker string) {
	if u.Subscribe == 0 || u.UnionID != "" || !l.unionIDs.missed() {
		return ""
	}
	l.stats.noUnionID.Add(1)
	return events.MarkerNoUnionID
}
