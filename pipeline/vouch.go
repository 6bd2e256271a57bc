package pipeline

import (
	"context"
	"slices"

	"github.com/wxenrich/wxenrich/wechat"
)

// heard reports whether the account still works, as far as anybody can tell.
// If it does not, o has the hold.
func (l *Lane) heard(c contexts, o *outcome) bool {
	latest, many := l.proof.suspicious()
	if !many {
		return true
	}
	proven, err := l.prove(c, latest)
	if e := failure(err); e != nil {
		o.hold = l.holdFor(e)
	}
	return proven || err == nil // nobody is known: the split will tell
}

// prove finds out whether the account works for a call that begins after so
// many others. It asks for those who are known to work, if there are any, until
// one is answered; once for all who want to know at the same time.
func (l *Lane) prove(c contexts, after uint64) (proven bool, err error) {
	select {
	case l.proving <- struct{}{}:
		defer func() { <-l.proving }()
	case <-c.stop.Done():
		return false, errStopped
	}
	if l.proof.after(after) {
		return true, nil
	}
	if _, _, lost := l.proof.standing(); lost != nil {
		return false, lost
	}
	for _, openid := range l.knownGood() {
		err = l.attempt(c, 1, func(ctx context.Context) error {
			_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: openid, Lang: l.cfg.Lang}})
			return err
		})
		if err == nil || !refused(err) {
			return err == nil, err
		}
	}
	if err != nil {
		l.proof.lose(err)
	}
	return false, err
}

// knownGood lists openids of this account that work if anything does: the
// surest first. One of them may have left WeChat in the meantime.
func (l *Lane) knownGood() []string {
	people := []string{l.proof.known(), l.board.known(l.cfg.AppID), l.cfg.Canary}
	return slices.Compact(slices.DeleteFunc(people, func(openid string) bool { return openid == "" }))
}
