//go:build linux

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// TestRedriveByReason has events die of three causes, mends one of them and has
// those events answered, while the replica that does it is killed.
func TestRedriveByReason(t *testing.T) {
	w := newWorld(t, 1, nil)
	run := w.replica("")
	w.exists("WX_EVENTS")
	causes := map[events.Reason]int{
		events.Undecodable:   size(600, 6_000), // the openid is not where the service looks
		events.InvalidOpenID: size(200, 2_000),
		events.Rejected:      size(200, 2_000),
	}
	good := w.store(size(4_000, 40_000), true, 0)
	var msgs []*nats.Msg
	var mended []string
	for cause, n := range causes {
		for i := range n {
			openid := w.account.OpenID(good.n + i)
			data := openid
			switch cause {
			case events.Undecodable:
				data = fmt.Sprintf(`{"data":{"openId":%q}}`, openid)
				mended = append(mended, openid)
			case events.InvalidOpenID:
				data = fmt.Sprint("not an openid ", i)
			case events.Rejected:
				data = w.account.BadOpenID(i)
			}
			msgs = append(msgs, &nats.Msg{Subject: "wx.events." + appID + ".subscribe", Data: []byte(data)})
		}
	}
	w.rand.Shuffle(len(msgs), func(i, j int) { msgs[i], msgs[j] = msgs[j], msgs[i] })
	more := w.produce(good.n, true)
	for _, m := range msgs {
		if _, err := w.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	w.drain(more)
	before := w.letters()
	counts := make(map[events.Reason]int)
	for _, l := range before {
		counts[l.reason]++
	}
	for cause, n := range causes {
		if counts[cause] != n {
			t.Fatalf("dead letters: %v, want %v", counts, causes)
		}
	}

	run.stop()
	w.settings["INPUT_FIELDS"] = "openid=data.openId"
	run = w.replica("")
	redrive := []string{"dead", "redrive", "--reason", string(events.Undecodable)}
	price := asks[struct{ Again, Dying, Calls int }](w, append(redrive, "--dry-run")...)
	called := w.calls()
	id := w.begins(append(redrive, "--rate", fmt.Sprint(len(mended)/8))...)
	w.comesTo(id, behind(0.4))
	run.kill()
	run = w.replica("")
	j := w.reaches(id, nil)
	called = w.calls() - called
	run.stop()
	t.Logf("%d letters of %d redriven: %d calls, the dry run said %d; %+v", len(mended), len(before), called, price.Calls, j.Progress)
	if price.Again != len(mended) || price.Dying != 0 {
		t.Errorf("the dry run says %+v", price)
	}

	after := w.letters()
	for seq, l := range before {
		if now, there := after[seq]; there == (l.reason == events.Undecodable) || there && now != l {
			t.Errorf("letter %d, %+v, became %+v", seq, l, now)
		}
	}
	if want := len(before) - len(mended); len(after) != want {
		t.Errorf("%d letters are left, want %d", len(after), want)
	}
	records := make(map[string]int)
	w.read("WX_PROFILES", func(m jetstream.Msg, _ time.Time) {
		if m.Headers().Get(events.HeaderHop) == "1" {
			records[m.Headers().Get(events.HeaderOpenID)]++
		}
	})
	for _, openid := range mended {
		if records[openid] != 1 {
			t.Fatalf("%d records of somebody whose letter was redriven", records[openid])
		}
	}
	if len(records) != len(mended) {
		t.Errorf("%d people have records, want %d", len(records), len(mended))
	}
	w.law(good.n + more.n + len(msgs))
}

// letter is what must not change of a dead letter.
type letter struct {
	reason   events.Reason
	id, body string
}

// letters are all there are, by their sequence.
func (w *world) letters() map[uint64]letter {
	w.t.Helper()
	all := make(map[uint64]letter)
	w.read("WX_DEAD", func(m jetstream.Msg, _ time.Time) {
		meta, err := m.Metadata()
		if err != nil {
			w.t.Fatal(err)
		}
		h := m.Headers()
		all[meta.Sequence.Stream] = letter{events.Reason(h.Get(events.HeaderDeadReason)), h.Get(events.HeaderMsgID), string(m.Data())}
	})
	return all
}
