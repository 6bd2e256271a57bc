package pipeline

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"

	"github.com/wxenrich/wxenrich/wechat"
)

// A sample is one person of a batch who is asked for alone at the same time:
// an audit of the batches, since a single answer has no neighbours to be mixed
// up with. Nobody waits for it: if it is there before the batch's rows go out,
// they can still be held back, and if not, it only counts. A nil sample is of
// a batch that is not checked.
type sample struct {
	item *item
	done chan struct{}
	user wechat.User // these when done is closed
	err  error

	compared bool
}

// The fields that a sample may differ in. The values are metric labels.
const (
	differSubscribe = "subscribe"
	differUnionID   = "unionid"
	differOther     = "other"
)

// draw starts the check of a batch, if it is one of those to be checked. The
// call is one attempt, beside the batch's own. Whoever draws waits: see compare.
func (l *Lane) draw(c contexts, items []*item) *sample {
	if n := len(items); l.cfg.SampleCheck == 0 || n == 1 || l.rand() >= l.cfg.SampleCheck*float64(n) {
		return nil
	}
	s := &sample{item: items[int(l.rand()*float64(len(items)))], done: make(chan struct{})}
	q := wechat.Query{OpenID: s.item.Key.openid, Lang: s.item.Key.lang}
	go func() {
		defer close(s.done)
		s.err = l.call(c, 1, func(ctx context.Context) (err error) {
			s.user, err = l.wechat.UserInfo(ctx, q)
			return err
		})
	}()
	return s
}

// compareInTime compares a sample that is there already with its batch. What
// is wrong about the person is noted, and puts the batch in doubt.
func (l *Lane) compareInTime(s *sample, users []wechat.User) {
	if s == nil {
		return
	}
	select {
	case <-s.done:
	default:
		return
	}
	switch l.compare(s, users) {
	case differSubscribe, differUnionID:
		alone := voteOf(&s.user)
		s.item.State.alone = &alone
	}
}

// compare waits for a sample, and counts in which field it differs from its
// batch, if in any. It does so once.
func (l *Lane) compare(s *sample, users []wechat.User) (field string) {
	if s == nil || s.compared {
		return ""
	}
	<-s.done
	s.compared = true
	row := slices.IndexFunc(users, func(u wechat.User) bool { return u.OpenID == s.item.Key.openid })
	if s.err != nil || s.user.OpenID != s.item.Key.openid || row < 0 {
		return "" // there is nothing to compare
	}
	field = difference(&users[row], &s.user)
	l.stats.sampled(field)
	if field != "" {
		l.log.Warn("a batch says of somebody what user/info does not", slog.String("field", field))
	}
	return field
}

// difference is the gravest of the fields that two rows of one person differ in.
func difference(a, b *wechat.User) string {
	switch {
	case a.Subscribe != b.Subscribe:
		return differSubscribe
	case a.UnionID != b.UnionID:
		return differUnionID
	case !sameFields(a.Raw, b.Raw):
		return differOther
	}
	return ""
}

func sameFields(a, b []byte) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return reflect.DeepEqual(x, y)
}
