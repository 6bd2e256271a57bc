package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// jsonOutput is an output beside the usual one.
func jsonOutput() pipeline.Output {
	subject, err := events.ParseTemplate("wx.json.{appid}", "appid")
	if err != nil {
		panic(err)
	}
	return pipeline.Output{Subject: subject, Format: events.JSON}
}

// addOutput makes the stream for it.
func (w *world) addOutput() {
	w.Helper()
	const forever = -1 // age goes by another clock: see eventstest.Bubble
	spec := events.StreamSpec{Name: "WX_JSON", Subjects: []string{"wx.json.>"}, Output: true, AllowAtomic: true, MaxAge: forever}
	if _, _, err := events.EnsureStream(w.Context(), w.js, spec, events.Create); err != nil {
		w.Fatal(err)
	}
}

// balances audits both outputs.
func (w *world) balances() [2]audit.Balance {
	w.Helper()
	var b [2]audit.Balance
	for i, output := range []string{"WX_PROFILES", "WX_JSON"} {
		l := audit.DefaultLane(appid)
		l.Output, l.Several = output, true
		r, err := audit.Run(w.Context(), w.js, audit.Scope{Lanes: []audit.Lane{l}})
		if err != nil {
			w.Fatal(err)
		}
		if !r.Holds() {
			w.Errorf("%s: %+v", output, r)
		}
		b[i] = r.Lanes[0]
	}
	return b
}

func withSecond(c pipeline.Config) pipeline.Config {
	c.Outputs = append(c.Outputs, jsonOutput())
	return c
}

// TestTwoOutputs: every event has the same record in both, under one id.
func TestTwoOutputs(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		inBubble(t, wechattest.AccountConfig{}, func(w *world) {
			w.addOutput()
			keep, err := events.ParseKeep([]string{"event.meta"})
			if err != nil {
				t.Fatal(err)
			}
			cfg := withSecond(lifelike())
			cfg.Atomic, cfg.Outputs[1].Keep, cfg.Outputs[1].CloudEvents = atomic, keep, true
			const n, bad = 300, 30
			w.publish(n, func(i int) []byte {
				if i%(n/bad) == 0 {
					return []byte("not an openid")
				}
				return w.openid(i)
			})
			lane := w.start(cfg)
			w.answers(n)
			w.settled(cfg.Durable)
			if c := lane.Stats().Counts(); c.Records != n-bad {
				t.Errorf("%d records counted, want %d: an event is one", c.Records, n-bad)
			}
			records := map[string]events.Record{}
			for _, m := range w.all("WX_PROFILES") {
				records[m.Headers().Get(events.HeaderMsgID)] = w.parse(m).record
			}
			for _, m := range w.all("WX_JSON") {
				id, r := m.Headers().Get(events.HeaderMsgID), w.parse(m).record
				want, ok := records[id]
				keep.Apply(&want)
				if !ok || !cmp.Equal(want.Event, r.Event, cmp.AllowUnexported(events.Value{})) || !want.FetchedAt.Equal(r.FetchedAt) || r.UnionID != "" || r.User.OpenID != "" {
					t.Fatalf("%s: %+v, want %+v", id, r, want)
				}
				if h := m.Headers(); h.Get(events.HeaderContentType) != "application/json" || h.Get(events.HeaderCEID) != id {
					t.Fatalf("%s: %v", id, h)
				}
				delete(records, id)
			}
			if len(records) > 0 {
				t.Errorf("%d records are in the first output only", len(records))
			}
			for _, b := range w.balances() {
				if b.Records != n-bad || b.DeadLetters != bad {
					t.Errorf("%+v", b)
				}
			}
		})
	}
}

// TestOutputsAreLookedAtOneByOne: an event is acknowledged only when all hold
// its record, and what one of them holds already it does not get again.
func TestOutputsAreLookedAtOneByOne(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.addOutput()
		w.update("WX_JSON", func(c *jetstream.StreamConfig) { c.MaxMsgs = 5 })
		cfg := withSecond(lifelike())
		const n = 20
		w.publish(n, w.openid)
		first := w.start(cfg)
		w.answers(n)
		w.until("it is said of which", func() bool { return strings.HasPrefix(first.State().Output, "stream WX_JSON: ") })
		if acked := n - w.consumer(cfg.Durable).NumAckPending; acked != 5 || w.held("WX_JSON") != 5 {
			t.Errorf("%d are acknowledged, %d of %d in the second output", acked, w.held("WX_JSON"), n)
		}
		first.stop()
		time.Sleep(longAfter) // no stream knows an id any more
		w.update("WX_JSON", func(c *jetstream.StreamConfig) { c.MaxMsgs = -1 })
		calls := w.asked()
		w.start(cfg)
		w.settled(cfg.Durable)
		if w.held("WX_PROFILES") != n || w.held("WX_JSON") != n || w.asked() == calls {
			t.Errorf("%d and %d records of %d", w.held("WX_PROFILES"), w.held("WX_JSON"), n)
		}
		w.balances()
	})
}

// TestTooLargeForOneOutput: the event has its record in the other, and one dead
// letter, whose redrive stores what was missing.
func TestTooLargeForOneOutput(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.addOutput()
		w.update("WX_JSON", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 500 })
		cfg := withSecond(lifelike())
		kv := w.bucket()
		w.publish(3, w.openid)
		lane := w.start(cfg, w.board(kv))
		w.stored("WX_DEAD", 3)
		w.settled(cfg.Durable)
		if c := lane.Stats().Counts(); c.DeadLetters[events.TooLarge] != 3 || w.held("WX_PROFILES") != 3 || w.held("WX_JSON") != 0 {
			t.Errorf("%d and %d records, %+v", w.held("WX_PROFILES"), w.held("WX_JSON"), c)
		}
		w.balances()
		w.update("WX_JSON", func(c *jetstream.StreamConfig) { c.MaxMsgSize = -1 })
		time.Sleep(longAfter)
		viewer := w.viewer(kv)
		w.redrive(viewer, "redrive-1", dead.Selection{})
		w.becomes(viewer, "redrive-1", job.Done)
		if w.held("WX_DEAD") != 0 {
			t.Errorf("%d dead letters are left", w.held("WX_DEAD"))
		}
		if w.held("WX_PROFILES") != 3 || w.held("WX_JSON") != 3 {
			t.Errorf("%d and %d records of 3", w.held("WX_PROFILES"), w.held("WX_JSON"))
		}
		w.balances()
	})
}

// TestOutputsShareNoStream: the second record would be taken for a repeat.
func TestOutputsShareNoStream(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.update("WX_PROFILES", func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "wx.json.>") })
		lane := w.start(withSecond(lifelike()))
		var refusal *pipeline.Refusal
		if err := <-lane.done; !errors.As(err, &refusal) {
			t.Errorf("%v", err)
		}
		lane.done <- nil
	})
}
