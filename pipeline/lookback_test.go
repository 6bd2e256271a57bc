package pipeline_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/internal/water"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// longAfter is beyond the duplicate window of the streams.
const longAfter = 30 * time.Minute

// once fails the test unless every one of n events has one answer and the API
// was not asked again.
func (w *world) once(n, calls int) {
	w.Helper()
	if stored := w.held("WX_PROFILES") + w.held("WX_DEAD"); stored != n {
		w.Errorf("%d answers for %d events", stored, n)
	}
	if asked := w.asked(); asked != calls {
		w.Errorf("%d calls, of which %d were made before", asked, calls)
	}
}

func TestDurableIsGone(t *testing.T) {
	for name, forget := range map[string]func(w *world, kv jetstream.KeyValue){
		"its mark is there": func(*world, jetstream.KeyValue) {},
		"its mark is gone too": func(w *world, kv jetstream.KeyValue) {
			if err := kv.Purge(w.Context(), "mark."+appid+"."+lifelike().Durable); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 1500
				kv := w.bucket()
				w.publish(n, func(i int) []byte {
					if i%500 == 0 {
						return []byte("not an openid")
					}
					return w.openid(i)
				})
				cfg := lifelike()
				first := w.start(cfg, w.board(kv))
				w.answers(n)
				w.settled(cfg.Durable)
				time.Sleep(15 * time.Second)
				w.publish(1, func(int) []byte { return w.openid(1) }) // raises the mark behind the others' acks
				w.answers(n + 1)
				w.settled(cfg.Durable)
				first.stop()
				calls := w.asked()
				if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
					t.Fatal(err)
				}
				forget(w, kv)
				time.Sleep(longAfter)

				second := w.start(cfg, w.board(kv))
				w.until("it runs", func() bool { return second.State().Phase == pipeline.Running })
				w.settled(cfg.Durable)
				w.once(n+1, calls)
				if c := second.Stats().Counts(); name == "its mark is there" && c.Received > 1 {
					t.Errorf("%d events were delivered again: it should begin at the mark", c.Received)
				}
				w.publish(100, w.openid)
				w.answers(n + 101)
			})
		})
	}
}

// A durable that was restored from an older backup, or whose server lost acks,
// delivers again what was answered.
func TestRedeliveredLongAfter(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n, more = 1500, 50
		w.publish(n, w.openid)
		cfg := lifelike()
		first := w.start(cfg)
		w.answers(n)
		w.settled(cfg.Durable)
		first.stop()
		w.publish(more, func(i int) []byte { return w.openid(n + i) }) // these have no answer

		second := cfg
		second.Durable = "restored"
		w.deliverOnce(second, n+more)
		time.Sleep(longAfter)
		calls := w.asked()
		lane := w.start(second)
		w.settled(second.Durable)
		w.once(n+more, calls+1)
		if c := lane.Stats().Counts(); c.Repeats != n || c.Records != more || c.LookBacks > 3 {
			t.Errorf("%d repeats, %d records after %d look-backs; want %d, %d after 3 at most", c.Repeats, c.Records, c.LookBacks, n, more)
		}
	})
}

// A repeat that comes while the output knows its answer's id may be published
// when it does not any more: WeChat was away meanwhile.
func TestYoungRepeatGetsOld(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 100
		w.publish(n, w.openid)
		cfg := lifelike()
		first := w.start(cfg)
		w.answers(n)
		first.stop()

		second := cfg
		second.Durable = "died-before-the-acks"
		w.deliverOnce(second, n)
		time.Sleep(5 * time.Minute) // half of the window
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: -1}})
		lane := w.start(second)
		time.Sleep(6 * time.Minute)
		mend()
		w.settled(second.Durable)
		if c := lane.Stats().Counts(); c.Repeats != n || w.held("WX_PROFILES") != n {
			t.Errorf("%d repeats were known, the output has %d records of %d events", c.Repeats, w.held("WX_PROFILES"), n)
		}
	})
}

// deliverOnce makes a durable that has had its events delivered to somebody who
// is gone.
func (w *world) deliverOnce(cfg pipeline.Config, n int) {
	w.Helper()
	c, err := w.js.CreateConsumer(w.Context(), "WX_EVENTS", jetstream.ConsumerConfig{
		Durable: cfg.Durable, FilterSubjects: cfg.Subjects, AckPolicy: jetstream.AckExplicitPolicy,
		MaxDeliver: -1, MaxAckPending: 10_000, AckWait: cfg.AckWait,
	})
	if err != nil {
		w.Fatal(err)
	}
	batch, err := c.Fetch(n)
	if err != nil {
		w.Fatal(err)
	}
	var taken []jetstream.Msg
	for m := range batch.Messages() {
		taken = append(taken, m)
	}
	for _, m := range taken {
		if err := m.Nak(); err != nil {
			w.Fatal(err)
		}
	}
}

func TestNormalRunningLooksAtNothing(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := lifelike()
		w.publish(1000, w.openid)
		time.Sleep(longAfter) // a backlog that is older than the duplicate window
		lane := w.start(cfg, w.board(kv))
		w.answers(1000)
		for range 300 {
			w.publish(5, w.openid)
			time.Sleep(2 * time.Second)
		}
		w.answers(2500)
		if c := lane.Stats().Counts(); c.LookBacks != 0 || c.Repeats != 0 {
			t.Errorf("%d look-backs, %d repeats", c.LookBacks, c.Repeats)
		}
		e, err := kv.Get(w.Context(), "mark."+appid+"."+cfg.Durable)
		if err != nil {
			t.Fatal(err)
		}
		var m water.Mark
		if err := json.Unmarshal(e.Value(), &m); err != nil {
			t.Fatal(err)
		}
		if m.May < 2500 || m.Floor == 0 {
			t.Errorf("mark: %+v", m)
		}
		if e.Revision() > 600 {
			t.Errorf("%d puts for five events every two seconds in 10 minutes", e.Revision())
		}
	})
}

// A backlog that takes longer than the output knows ids is not looked for among
// its own answers: neither at a first start nor by a job.
func TestLongBacklogLooksAtNothing(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 600
		kv := w.bucket()
		viewer := w.viewer(kv)
		w.publish(n, w.openid)
		time.Sleep(longAfter)
		cfg := lifelike()
		cfg.BatchSize, cfg.Rate = 5, 0.1 // calls a second: 20 minutes for all, and no event is in hand for long
		lane := w.start(cfg, w.board(kv))
		w.answers(n)
		if c := lane.Stats().Counts(); c.LookBacks != 0 || c.LookedAt != 0 {
			t.Errorf("%d look-backs at %d answers", c.LookBacks, c.LookedAt)
		}
		readers, err := w.js.Conn().SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.CREATED.WX_PROFILES.>")
		if err != nil {
			t.Fatal(err)
		}
		w.replay(viewer, "replay-1", 1, n, job.Spec{})
		w.becomes(viewer, "replay-1", job.Done)
		if seen, _, err := readers.Pending(); seen != 0 || err != nil {
			t.Errorf("the job has read the output %d times (%v)", seen, err)
		}
		w.eachOnce("replay-1", 1, n)
	})
}
