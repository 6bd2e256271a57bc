package pipeline

import (
	"slices"

	"github.com/wxenrich/wxenrich/pipeline/internal/match"
	"github.com/wxenrich/wxenrich/wechat"
)

// elsewhere marks an item that was settled beside the batch.
const elsewhere = -2

// hear asks the witnesses of a batch, and answers them. It doubts the batch if
// one of their unionids is in another's row, if somebody without a row has no
// unionid at all, if the row that is checked says something else than its
// person's own, or if a witness cannot be heard.
func (l *Lane) hear(c contexts, items []*item, rows []match.Row, found []int, o *outcome) match.Doubt {
	missing, lacking, check, doubt := match.Witnesses(found, rows, l.unionIDs.weighed())
	if anyUnionID(rows) {
		l.unionIDs.had() // somebody has one, whoever's it is
	} else if l.unionIDs.expected() == match.Never {
		l.unionIDs.lacks(followers(rows)) // whom nobody asks for again
	}
	for _, i := range missing {
		found[i] = elsewhere
		l.stats.missing.Add(1)
		user, ok := l.witness(c, items[i], o)
		if !ok || user.UnionID == "" || belongs(user, rows) {
			doubt = match.Moved // an openid of nobody has been seen to move the others' unionids
		}
	}
	switch {
	case doubt != match.None: // all are asked again
	case len(lacking) == 1:
		found[lacking[0]] = elsewhere
		user, ok := l.witness(c, items[lacking[0]], o)
		if !ok || belongs(user, rows) {
			doubt = match.Moved
		}
		if ok && user.Subscribe == 1 && user.UnionID == "" && !anyUnionID(rows) {
			l.unionIDs.lacks(1)
		}
	case len(lacking) > 1:
		doubt = l.hearTogether(c, items, lacking, rows, found, o)
	}
	if check >= 0 && doubt == match.None {
		said := rows[found[check]].UnionID
		found[check] = elsewhere
		if user, ok := l.witness(c, items[check], o); !ok || user.UnionID != said {
			doubt = match.Moved
		}
	}
	return doubt
}

func anyUnionID(rows []match.Row) bool {
	return slices.ContainsFunc(rows, func(r match.Row) bool { return r.UnionID != "" })
}

func followers(rows []match.Row) (n int) {
	for _, r := range rows {
		if r.Follows {
			n++
		}
	}
	return n
}

// belongs reports whether a person's unionid is in another's row.
func belongs(user wechat.User, rows []match.Row) bool {
	return user.UnionID != "" && slices.ContainsFunc(rows, func(r match.Row) bool {
		return r.UnionID == user.UnionID && r.OpenID != user.OpenID
	})
}

// hearTogether asks for all followers of a batch that lack a unionid in one
// more call: an account may have many of them, and a call for each would cost a
// hundred times as much. Who lacks it again, has none. Who has one now is asked
// for alone: it may be another's, for this answer is no better than the first.
func (l *Lane) hearTogether(c contexts, items []*item, lacking []int, rows []match.Row, found []int, o *outcome) match.Doubt {
	group, asked := make([]*item, len(lacking)), make([]string, len(lacking))
	for n, i := range lacking {
		group[n], asked[n] = items[i], items[i].Key.openid
	}
	users, began, err := l.batchGet(c, group)
	if err != nil {
		for _, i := range lacking {
			found[i] = elsewhere
		}
		l.fail(c, group, began, err, o)
		return match.Moved // nobody knows
	}
	users = slices.DeleteFunc(users, func(u wechat.User) bool { return u.Blank() })
	again := make([]match.Row, len(users))
	for i := range users {
		again[i] = match.Row{OpenID: users[i].OpenID, UnionID: users[i].UnionID, Follows: users[i].Subscribe == 1}
	}
	at, doubt := match.Match(asked, again)
	if doubt != match.None {
		return doubt
	}
	var differ []int // of lacking
	var s sheet
	for n, r := range at {
		if r >= 0 && again[r].Follows && again[r].UnionID == "" {
			s.people, s.users = append(s.people, group[n]), append(s.users, &users[r])
			continue
		}
		differ = append(differ, n)
		if r >= 0 && belongs(users[r], rows) {
			doubt = match.Moved
		}
	}
	if doubt != match.None || len(differ) > match.MaxWitnesses {
		return match.Moved
	}
	for _, n := range differ {
		i := lacking[n]
		found[i] = elsewhere
		user, ok := l.witness(c, items[i], o)
		if !ok || belongs(user, rows) || at[n] >= 0 && user.UnionID != again[at[n]].UnionID {
			doubt = match.Moved
		}
	}
	if doubt != match.None {
		return doubt
	}
	for _, i := range lacking {
		found[i] = elsewhere
	}
	l.answerRows(c, &s, began, o)
	if !anyUnionID(rows) && !anyUnionID(again) {
		l.unionIDs.lacks(len(s.people))
	}
	return match.None
}

// witness asks for one person of a batch alone, and answers them so: nothing is
// better than that.
func (l *Lane) witness(c contexts, it *item, o *outcome) (user wechat.User, ok bool) {
	user, began, err := l.userInfo(c, it)
	switch {
	case err != nil:
		l.fail(c, []*item{it}, began, err, o)
	case user.OpenID != it.Key.openid || user.Blank():
		l.unanswered(c, it, o)
	case user.Subscribe == 0 && l.lookTwice(it, o): // has left, or is not visible yet: a later batch tells
	default:
		l.answerSingle(c, it, &user, began, o)
		return user, true
	}
	return user, false
}
