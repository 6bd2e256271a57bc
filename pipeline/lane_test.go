package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestEveryEventGetsItsRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	const n = 5000
	w.publish(n, w.openid)
	lane := w.start(config())
	answers := w.answers(n)
	if got := count(answers); !maps.Equal(got, map[string]int{"following": n}) {
		t.Fatalf("answers: %v, want %d following", got, n)
	}
	for _, a := range answers {
		row, _ := w.acc.User(a.record.Event.OpenID)
		if diff := cmp.Diff(fields(t, events.JSONValue(row)), fields(t, a.record.User.Raw)); diff != "" {
			t.Fatalf("the record's user differs from WeChat's row:\n%s", diff)
		}
	}
	w.settled(config().Durable)
	c := lane.Stats().Counts()
	if c.Records != n || c.InHand != 0 {
		t.Errorf("counts: %+v", c)
	}
	if fill := float64(c.OpenIDs) / float64(c.Batches); fill < 95 {
		t.Errorf("mean fill %.1f in a backlog, want 95 or more", fill)
	}
}

func TestOneBadOpenIDOfAHundred(t *testing.T) {
	for _, bad := range []int{0, 1, 37, 50, 98, 99} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) { // on a busy machine the hundred would come in pieces
				w.publish(100, func(i int) []byte {
					if i == bad {
						return []byte(w.acc.BadOpenID(i))
					}
					return w.openid(i)
				})
				cfg := lifelike()
				cfg.Fixed = true
				lane := w.start(cfg)
				answers := w.answers(100)
				if diff := cmp.Diff(map[string]int{"following": 99, "rejected": 1}, count(answers)); diff != "" {
					w.Error(diff)
				}
				if calls := lane.Stats().Counts().Calls; calls > 10 {
					w.Errorf("%d API calls, want 10 at most", calls)
				}
				for _, a := range answers {
					if a.reason == events.Rejected && (a.dead.Code != 40003 || string(a.dead.Message.Data) != w.acc.BadOpenID(bad)) {
						w.Errorf("dead letter: code %d, body %q", a.dead.Code, a.dead.Message.Data)
					}
				}
			})
		})
	}
}

func TestTwoEventsForOnePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(2, func(int) []byte { return w.openid(7) })
	cfg := config()
	cfg.Fixed = true
	lane := w.start(cfg)
	w.answers(2)
	if c := lane.Stats().Counts(); c.Calls != 1 || c.OpenIDs != 1 {
		t.Errorf("%d calls for %d openids, want one for one", c.Calls, c.OpenIDs)
	}
}

// fields decodes an object, whatever its encoding, with exact numbers.
func fields(t *testing.T, v events.Value) map[string]any {
	t.Helper()
	raw, err := v.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	decode(t, raw, &m)
	return m
}

func decode(t testing.TB, raw []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatal(err)
	}
}
