package pipeline

import (
	"context"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/split"
	"github.com/wxenrich/wxenrich/wechat"
)

// narrow finds out who made WeChat refuse a group (40003 and its kin fail the
// whole call and name nobody). The others come out as they are cleared; those
// of whom nothing is known go back and join another batch.
func (l *Lane) narrow(c contexts, items []*item, began moment, err error, o *outcome) {
	if l.proof.known() == "" {
		// Nobody of this account has worked yet: it may be the wrong token, and
		// then every split is in vain. One at a time is enough to find out.
		select {
		case l.splitting <- struct{}{}:
			defer func() { <-l.splitting }()
		case <-c.stop.Done():
			o.back = append(o.back, items...)
			return
		}
	}
	s := split.New(items)
	for ask := s.Ask(); ask != nil; ask = s.Ask() {
		if c.stop.Err() != nil {
			o.back = append(o.back, s.Rest()...)
			return
		}
		users, askedAt, refusal := l.batchGet(c, ask)
		switch {
		case refusal == nil:
			s.Answered()
			l.finish(c, ask, users, askedAt, o)
		case refused(refusal):
			err = refusal
			o.back = append(o.back, s.Refused()...)
		default:
			o.back = append(o.back, s.Rest()[len(ask):]...)
			l.fail(c, ask, askedAt, refusal, o)
			return
		}
	}
	leaf, inferred := s.Leaf()
	if inferred {
		users, askedAt, refusal := l.batchGet(c, []*item{leaf})
		switch {
		case refusal == nil:
			l.finish(c, []*item{leaf}, users, askedAt, o)
			return
		case !refused(refusal):
			l.fail(c, []*item{leaf}, askedAt, refusal, o)
			return
		}
		err = refusal
	}
	l.leaf(c, leaf, began, err, o)
}

// leaf handles a person who was refused alone. It is theirs, and not the
// account's, only if the account has answered for somebody since.
func (l *Lane) leaf(c contexts, it *item, began moment, err error, o *outcome) {
	if it.State.refused.IsZero() {
		it.State.refused = began.time
	}
	if !l.proof.since(it.State.refused) {
		switch proven, failed := l.prove(c); {
		case failed != nil:
			o.back = append(o.back, it)
			if e := failure(failed); e != nil {
				o.hold = l.holdFor(e)
			}
			return
		case !proven:
			o.doubt = append(o.doubt, it)
			return
		}
	}
	if failure(err).Class == wechat.NotFollowing {
		l.answerAll(c, it, notFollowing(it.Key.openid), events.FromBatch, "", began, o)
		return
	}
	why := causeOf(events.Rejected, err, it.State.calls)
	o.convicted = append(o.convicted, verdict{it.Key.openid, why})
	l.giveUp(c, it, why, o)
}

// prove asks for an openid of this account that is known to work, if there is
// one. An openid from user/get would prove nothing: with the wrong account's
// token it is one of the wrong account's.
func (l *Lane) prove(c contexts) (proven bool, err error) {
	openid, ok := l.knownGood()
	if !ok {
		return false, nil
	}
	err = l.attempt(c, 1, func(ctx context.Context) error {
		_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: openid, Lang: l.cfg.Lang}})
		return err
	})
	return err == nil, err
}

// knownGood is an openid of this account that works if anything does.
func (l *Lane) knownGood() (openid string, ok bool) {
	if openid = l.proof.known(); openid == "" {
		openid = l.cfg.Canary
	}
	return openid, openid != ""
}

// refused reports whether somebody in the call was refused.
func refused(err error) bool {
	e := failure(err)
	return e != nil && (e.Class == wechat.BadOpenID || e.Class == wechat.NotFollowing)
}

// notFollowing is the row of somebody whom WeChat reports by an error code
// (43004) instead of one.
func notFollowing(openid string) *wechat.User {
	return &wechat.User{OpenID: openid, Raw: []byte(`{"subscribe":0,"openid":"` + openid + `"}`)}
}
