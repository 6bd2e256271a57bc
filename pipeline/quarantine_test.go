package pipeline_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/strike"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const crashKey = "crash." + appid + ".wxenrich-" + appid

// book is what the bucket has about crashes; nil if nothing was ever written.
func (w *world) book(kv jetstream.KeyValue) *strike.Book {
	w.Helper()
	e, err := kv.Get(w.Context(), crashKey)
	if err != nil {
		return nil
	}
	b := new(strike.Book)
	if err := json.Unmarshal(e.Value(), b); err != nil {
		w.Fatal(err)
	}
	return b
}

// inputs says which events the input stream holds.
func (w *world) inputs(n int) []strike.ID {
	w.Helper()
	stream, err := w.js.Stream(w.Context(), "WX_EVENTS")
	if err != nil {
		w.Fatal(err)
	}
	ids := make([]strike.ID, n)
	for i := range ids {
		m, err := stream.GetMsg(w.Context(), uint64(i+1))
		if err != nil {
			w.Fatal(err)
		}
		ids[i] = strike.ID{Seq: m.Sequence, Stored: m.Time}
	}
	return ids
}

// What was in hand in a crash is handled in small groups, and in three is not
// handled at all any more. Nobody else notices.
func TestQuarantine(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 150
		kv := w.bucket()
		w.publish(n, w.openid)
		ids := w.inputs(n)
		b := new(strike.Book)
		for range 3 {
			b.Strike(ids[3:4], "somebody")
		}
		b.Strike(ids[10:12], "somebody")
		b.Strike(ids[10:40], "somebody")
		value, err := json.Marshal(b)
		if err == nil {
			_, err = kv.Put(w.Context(), crashKey, value)
		}
		if err != nil {
			t.Fatal(err)
		}
		lane := w.start(lifelike(), w.board(kv))
		for _, a := range w.answers(n) {
			if crashed := a.src(t) == 4; crashed != (a.reason == events.Crashed) {
				t.Errorf("event %d became %s %s", a.src(t), a.record.Status, a.reason)
			}
		}
		w.settled("wxenrich-" + appid)
		// 119 in two calls, or up to four where they come in several pulls; 28 in groups
		// of ten, two alone.
		if calls := w.asked(); calls < 2+3+2 || calls > 4+3+2 {
			t.Errorf("%d calls", calls)
		}
		w.until("the book is empty", func() bool { return w.book(kv).Len() == 0 })
		w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
		if c := lane.Stats().Counts(); c.DeadLetters[events.Crashed] != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// What has been delivered many times is written down while it is in hand, as
// its crashes may have been such as nobody can catch. It is no crash to be
// handed back, by a hold or a stop.
func TestManyDeliveriesAreWatched(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 30
		kv := w.bucket()
		w.publish(n, w.openid)
		cfg := lifelike()
		lane := w.start(cfg, w.board(kv))
		w.answers(n)
		if w.book(kv) != nil {
			t.Error("something was written in normal running")
		}
		lane.stop()

		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: -1}})
		w.publish(n, func(i int) []byte { return w.openid(1000 + i) })
		watched := 0
		for range 4 { // each hands them back once
			lane = w.start(cfg, w.board(kv))
			w.until("they are asked for", func() bool { return lane.Stats().Counts().Retries > 2 })
			if b := w.book(kv); b != nil {
				for _, id := range w.inputs(2 * n) {
					// Who came behind the first group is not in hand yet.
					switch times := b.Times(id, "another"); {
					case times == 1:
						watched++
					case times > 1:
						t.Errorf("event %d: if this process died that would be its crash number %d", id.Seq, times)
					}
				}
			}
			lane.stop()
		}
		if watched == 0 {
			t.Error("nothing was written down while it was in hand")
		}
		if b := w.book(kv); b == nil || b.Len() != 0 {
			t.Errorf("after the stop the book has %v", b)
		}
		mend()
		lane = w.start(cfg, w.board(kv))
		w.answers(2 * n)
		w.settled(cfg.Durable)
		// In one group, but for those who came when it had begun.
		if c := lane.Stats().Counts(); c.Records != n || c.Batches > 3 {
			t.Errorf("%d records in %d groups, want %d in one or two", c.Records, c.Batches, n)
		}
		time.Sleep(time.Second)
		if b := w.book(kv); b.Len() != 0 {
			t.Errorf("%d are left in the book", b.Len())
		}
	})
}
