package pipeline_test

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const stableToken = "stable_token"

// A reaction is what a lane has to do about an answer that everybody gets for
// a while. It is written down here by hand, class for class, and not taken
// from the code that it tests.
type reaction struct {
	outage time.Duration // how long everybody is answered so
	hold   string        // the reason that is given meanwhile; empty: the lane goes on trying
	code   int           // that the hold names; 0: the one that was answered
	calls  int           // at most, of the endpoint that answers so, while it lasts
	least  time.Duration // from its end to the first record
	most   time.Duration // from its end to the last record
}

// A person has to act: probes begin after a minute and end at one every 15 to
// 19 minutes. Four calls may be in flight when the first is refused.
func person(reason string) reaction {
	return reaction{outage: time.Hour, hold: reason, calls: 4 + 7, most: 19 * time.Minute}
}

var reactions = map[wechat.Class]reaction{
	// Three batches, each tried again after 15 seconds on average.
	wechat.Transient: {outage: 10 * time.Minute, calls: 200, most: 31 * time.Second},
	// Three batches are tried again with six fresh tokens each.
	wechat.StaleToken: {outage: time.Hour, hold: pipeline.HoldStolenToken, calls: 3*8 + 7, most: 19 * time.Minute},
	// Three people are asked for alone, and again at each of three tries.
	wechat.BadOpenID:    {outage: 10 * time.Minute, hold: pipeline.HoldWrongAccount, calls: 30, most: 19 * time.Minute},
	wechat.NotFollowing: {outage: 10 * time.Minute, hold: pipeline.HoldWrongAccount, calls: 30, most: 19 * time.Minute},
	// Batches are halved until one person alone is too many.
	wechat.BatchSize: {outage: time.Hour, hold: pipeline.HoldBug, calls: 40, most: 19 * time.Minute},
	// Three batches, once a minute.
	wechat.MinuteLimit: {outage: 10 * time.Minute, calls: 3 * 11, most: 66 * time.Second},
	// From eight in the morning, Beijing, to six in the evening: one probe, and
	// then midnight.
	wechat.DailyQuota: {outage: 10 * time.Hour, hold: pipeline.HoldDailyQuota, calls: 4 + 1, least: 6 * time.Hour, most: 6*time.Hour + 11*time.Minute},
	wechat.Operator:   person(pipeline.HoldOperator),
	// WeChat has to allow it: 1, 2, 4 minutes and so on, up to an hour.
	wechat.Permission: {outage: 3 * time.Hour, hold: pipeline.HoldOperator, calls: 4 + 6 + 2, most: 75 * time.Minute},
	// Another list, which nobody tells us of: up to five minutes.
	wechat.Address: {outage: time.Hour, hold: pipeline.HoldAddress, calls: 4 + 14, most: 7 * time.Minute},
	wechat.Bug:     person(pipeline.HoldBug),
	// Five attempts for each of three batches and of the halves of two of them.
	wechat.Unknown: {outage: time.Hour, hold: pipeline.HoldUnknown, calls: 3*5 + 4*5 + 7, most: 19 * time.Minute},
}

// exceptions are codes that WeChat says more of than their class does.
var exceptions = map[int]reaction{
	// Refused by the administrator, for a day and for an hour: nothing is asked
	// meanwhile.
	89506: {outage: 30 * time.Hour, hold: pipeline.HoldOperator, calls: 4 + 1, least: 17 * time.Hour, most: 19 * time.Hour},
	89507: {outage: 210 * time.Minute, hold: pipeline.HoldOperator, calls: 4 + 3, least: 25 * time.Minute, most: 45 * time.Minute},
}

func TestReactionToEveryRow(t *testing.T) {
	seen := make(map[string]bool)
	for _, row := range wechat.Table() {
		want, known := reactions[row.Class]
		if !known {
			t.Errorf("%d: nothing says how to react to class %v", row.Code, row.Class)
		}
		if special, ok := exceptions[row.Code]; ok {
			want = special
		}
		for _, endpoint := range endpoints(row.Kind) {
			if scale > 1 && seen[row.Class.String()+endpoint] {
				continue // the race detector needs one of a class
			}
			seen[row.Class.String()+endpoint] = true
			t.Run(fmt.Sprint(path.Base(endpoint), " ", row.Code), func(t *testing.T) {
				everybody(t, endpoint, wechattest.Action{Code: row.Code}, want)
			})
		}
	}
}

// endpoints are where a row's code may come from.
func endpoints(kind wechat.Kind) []string {
	switch kind {
	case wechat.Data:
		return []string{batchget}
	case wechat.Login:
		return []string{stableToken}
	}
	return []string{batchget, stableToken}
}

func TestReactionWithoutACode(t *testing.T) {
	for name, tc := range map[string]struct {
		do   wechattest.Action
		want reaction
	}{
		"500":       {wechattest.Action{Status: 500}, reactions[wechat.Transient]},
		"502":       {wechattest.Action{Status: 502, HTML: true}, reactions[wechat.Transient]},
		"561":       {wechattest.Action{Status: 561}, reactions[wechat.Transient]},
		"302":       {wechattest.Action{Status: 302}, reactions[wechat.Transient]},
		"HTML":      {wechattest.Action{HTML: true}, reactions[wechat.Transient]},
		"empty":     {wechattest.Action{Status: 200}, reactions[wechat.Transient]},
		"truncated": {wechattest.Action{Truncate: 20}, reactions[wechat.Transient]},
		"reset":     {wechattest.Action{Reset: true}, reactions[wechat.Transient]},
		"429":       {wechattest.Action{Status: 429}, reactions[wechat.MinuteLimit]},
		"404":       {wechattest.Action{Status: 404}, reactions[wechat.Unknown]},
		"412":       {wechattest.Action{Status: 412}, reactions[wechat.Unknown]},
		// A call takes 20 seconds to fail, and one is under way when it ends.
		"time-out": {wechattest.Action{Hang: true}, reaction{outage: 10 * time.Minute, calls: 130, most: 90 * time.Second}},
	} {
		for _, endpoint := range endpoints(wechat.Any) {
			t.Run(path.Base(endpoint)+" "+name, func(t *testing.T) { everybody(t, endpoint, tc.do, tc.want) })
		}
	}
}

// everybody lets an endpoint answer so for a while, events waiting.
func everybody(t *testing.T, endpoint string, do wechattest.Action, want reaction) {
	t.Helper()
	cfg := lifelike()
	cfg.BatchSize = 20
	const n = 50 // three batches
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: endpoint}, Do: do})
		w.publish(n, w.openid)
		lane := w.start(cfg)
		time.Sleep(want.outage)

		w.wantHold(lane, want.hold, cmp.Or(want.code, do.Code))
		stats := w.acc.Stats()
		if calls := stats.Calls[endpoint]; calls > want.calls {
			w.Errorf("%d calls in vain, want %d at most", calls, want.calls)
		}
		if endpoint == stableToken && stats.Calls[batchget] > 0 {
			w.Errorf("%d data calls without a token", stats.Calls[batchget])
		}
		if answers := w.held("WX_PROFILES") + w.held("WX_DEAD"); answers > 0 {
			w.Errorf("%d answers although nothing was answered", answers)
		}

		mend()
		mended := time.Now()
		answers := w.answers(n)
		if got := count(answers); !maps.Equal(got, map[string]int{"following": n}) {
			w.Errorf("answers: %v, want %d following", got, n)
		}
		first, last := stored(answers)
		if first.Before(mended.Add(want.least)) || last.After(mended.Add(want.most)) {
			w.Errorf("answered from %v to %v after it was mended, want %v to %v",
				first.Sub(mended), last.Sub(mended), want.least, want.most)
		}
		w.answeredOnce(n)
	})
}

// wantHold checks what a lane says of its hold.
func (w *world) wantHold(lane *running, reason string, code int) {
	w.Helper()
	switch s := lane.State(); {
	case reason == "":
		if s.Phase != pipeline.Running {
			w.Errorf("%s, hold %+v; want it to run", s.Phase, s.Hold)
		}
	case s.Phase != pipeline.Held:
		w.Errorf("%s, want it on hold: %s", s.Phase, reason)
	case s.Hold.Reason != reason || s.Hold.Code != code || s.Hold.Hint == "" || !s.Hold.Until.After(time.Now()):
		w.Errorf("hold %+v, want %s with code %d, a hint and the next try", s.Hold, reason, code)
	}
}

// answeredOnce checks that n events have been answered and nothing is left.
func (w *world) answeredOnce(n int) {
	w.Helper()
	w.settled(lifelike().Durable)
	if answers := w.held("WX_PROFILES") + w.held("WX_DEAD"); answers != n {
		w.Errorf("%d answers, want one for each of %d events", answers, n)
	}
}

// stored is when the first and the last answer were stored.
func stored(answers []answer) (first, last time.Time) {
	for _, a := range answers {
		if first.IsZero() || a.stored.Before(first) {
			first = a.stored
		}
		if a.stored.After(last) {
			last = a.stored
		}
	}
	return first, last
}
