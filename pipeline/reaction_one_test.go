package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// fate is what becomes of a person whose every call is answered so, whoever
// else is in it, while others can be answered. Classes that are not here say
// nothing about a person.
type fate struct {
	answer string        // a status, or a dead letter's reason
	calls  int           // at most, until it is given
	within time.Duration // from the start
}

var fates = map[wechat.Class]fate{
	// Seven calls find one of a hundred; one more for the rest, one to confirm.
	wechat.BadOpenID:    {"rejected", 10, 0},
	wechat.NotFollowing: {"not_following", 10, 0},
	// Each of seven halves is tried five times, and there is no hurry.
	wechat.Unknown:   {"exhausted", 100, time.Hour},
	wechat.Transient: {"exhausted", 100, time.Hour},
}

func TestReactionToOnePerson(t *testing.T) {
	seen := make(map[wechat.Class]bool)
	for _, row := range wechat.Table() {
		want, about := fates[row.Class]
		if !about || row.Kind == wechat.Login || scale > 1 && seen[row.Class] {
			continue
		}
		seen[row.Class] = true
		t.Run(fmt.Sprint(row.Code), func(t *testing.T) { onePerson(t, nil, row.Code, want) })
	}
}

func TestOverriddenReaction(t *testing.T) {
	known := wechat.Overrides{{Kind: wechat.Any, Code: 12345}: wechat.BadOpenID, {Kind: wechat.Data, Code: 40003}: wechat.NotFollowing}
	t.Run("unknown code", func(t *testing.T) { onePerson(t, nil, 12345, fates[wechat.Unknown]) })
	t.Run("the same overridden", func(t *testing.T) { onePerson(t, known, 12345, fates[wechat.BadOpenID]) })
	t.Run("known code", func(t *testing.T) { onePerson(t, known, 40003, fates[wechat.NotFollowing]) })
}

// onePerson lets every call with a certain openid be answered so, for good.
func onePerson(t *testing.T, overrides wechat.Overrides, code int, want fate) {
	t.Helper()
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.overrides = overrides
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{OpenID: w.acc.OpenID(37)}, Do: wechattest.Action{Code: code}})
		cfg := lifelike()
		cfg.Fixed = true
		lane := w.start(cfg)
		n, others := 0, 0
		another := func() {
			w.publish(1, func(int) []byte { return w.openid(1000 + n) })
			n, others = n+1, others+1
			time.Sleep(30 * time.Second)
		}
		another() // the account is known to work
		const theirs = 1 + 38
		w.publish(100, w.openid)
		n += 100
		for deadline := time.Now().Add(want.within); ; another() { // and not idle
			time.Sleep(time.Second)
			if w.held("WX_PROFILES")+w.held("WX_DEAD") >= n || time.Now().After(deadline) {
				break
			}
		}
		if calls := w.asked() - others; calls > want.calls {
			w.Errorf("%d calls, want %d at most", calls, want.calls)
		}
		answers := w.answers(n)
		wanted := map[string]int{"following": n - 1}
		wanted[want.answer]++
		if diff := cmp.Diff(wanted, count(answers)); diff != "" {
			w.Error(diff)
		}
		for _, a := range answers {
			switch {
			case a.reason != "" && (a.src(w) != theirs || a.dead.Code != code || a.dead.Attempts == 0):
				w.Errorf("dead letter of event %d, code %d, after %d attempts", a.src(w), a.dead.Code, a.dead.Attempts)
			case a.record.Status == "not_following" && a.src(w) != theirs:
				w.Errorf("event %d is said not to follow", a.src(w))
			}
		}
		w.wantHold(lane, "", 0)
		w.answeredOnce(n)
	})
}
