package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/pipeline/scan"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const tombstones = "WX_TOMBSTONES"

// erasing is a configuration with which people can be erased.
func erasing() pipeline.Config {
	c := lifelike()
	c.Subjects = append(c.Subjects, "wx.events."+appid+".unsubscribe")
	c.Erase = pipeline.EraseConfig{
		Places:  []erase.Place{{Stream: "WX_EVENTS"}, {Stream: "WX_PROFILES"}, {Stream: "WX_DEAD"}},
		Notices: events.StreamSpec{Name: "WX_ERASED", Subjects: []string{"wx.erased.>"}},
		Subject: "wx.erased." + appid,
	}
	return c
}

// ledger is what somebody knows of who is erased.
func (w *world) ledger(js jetstream.JetStream) *erase.Ledger {
	w.Helper()
	l, err := erase.Open(w.Context(), js, tombstones, slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(l.Close)
	return l
}

// heedful is a replica that knows of erasures.
func (w *world) heedful(cfg pipeline.Config) *replica {
	w.Helper()
	return w.replica(cfg, func(js jetstream.JetStream, d *pipeline.Deps) { d.Erased = w.ledger(js) })
}

// erase erases somebody as the command does.
func (w *world) erase(ctx context.Context, l *erase.Ledger, cfg pipeline.Config, openid string, at func(step string)) (r erase.Report, err error) {
	w.Helper()
	if err := l.Prepare(ctx, 1, events.Create); err != nil {
		return r, err
	}
	return r, l.Hold(ctx, appid, nil, func(ctx context.Context) error {
		at("held")
		o, err := l.Place(ctx, erase.Order{AppID: appid, OpenID: openid, Due: time.Now(), Why: events.ErasedByRequest})
		if err != nil {
			return err
		}
		at("ordered")
		kv, err := w.js.KeyValue(ctx, "WX_STATE")
		if err != nil {
			return err
		}
		board, err := pipeline.OpenBoard(ctx, kv, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer board.Close()
		e := pipeline.NewErasure(ctx, w.js, l, board, cfg)
		e.Waiting = func() { at("looked once") }
		r, err = e.Run(ctx, []erase.Standing{o})
		return err
	})
}

// naming counts the messages of all streams in which a text occurs, by stream.
func (w *world) naming(text string) map[string]int {
	w.Helper()
	found := make(map[string]int)
	names := w.js.StreamNames(w.Context())
	for name := range names.Name() {
		s, err := w.js.Stream(w.Context(), name)
		if err != nil {
			w.Fatal(err)
		}
		span := scan.Span{Stream: name, End: s.CachedInfo().State.LastSeq, Bodies: true}
		err = scan.Read(w.Context(), w.js, span, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
			if bytes.Contains(m.Data(), []byte(text)) || strings.Contains(fmt.Sprint(m.Headers()), text) {
				found[name]++
			}
			return true
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	if names.Err() != nil {
		w.Fatal(names.Err())
	}
	return found
}

// rid fails the test unless a person is named by so many notices, and nowhere
// else.
func (w *world) rid(openid string, notices int) {
	w.Helper()
	found := w.naming(openid)
	if n := found["WX_ERASED"]; n != notices {
		w.Errorf("%d notices, want %d", n, notices)
	}
	delete(found, "WX_ERASED")
	if len(found) > 0 {
		w.Errorf("the person is still named: %v", found)
	}
}

// balance holds the streams to the law, with what was erased.
func (w *world) balance() audit.Balance {
	w.Helper()
	lane := audit.DefaultLane(appid)
	lane.Subjects = erasing().Subjects
	return w.balanceOf(lane)
}

func (w *world) balanceOf(lane audit.Lane) audit.Balance {
	w.Helper()
	ledger := w.ledger(w.js)
	s := audit.Scope{Lanes: []audit.Lane{lane}, Erased: ledger.Audited}
	s.Forgotten = pipeline.Withheld(ledger)
	r, err := audit.Run(w.Context(), w.js, s)
	if err != nil {
		w.Fatal(err)
	}
	if !r.Holds() {
		w.Errorf("the law is broken: %+v", r)
	}
	return r.Lanes[0]
}

// TestErase is of somebody with a record, a dead letter, an event that waits,
// and a place in the memories of a running service.
func TestErase(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		gone := w.acc.OpenID(7)
		if _, err := kv.Put(w.Context(), "known."+appid, []byte(gone)); err != nil {
			t.Fatal(err)
		}
		r := w.heedful(cfg)
		w.publish(100, w.openid)
		w.publish(1, func(int) []byte { return []byte(`{"openid":"` + gone + `","appid":"wxother"}`) }) // a dead letter
		w.publish(1, func(int) []byte { return []byte(`{"openid":"` + gone) })                          // and one that cannot be read
		w.answers(102)
		w.settled(cfg.Durable)
		nobody := func(string) {}
		report, err := w.erase(w.Context(), w.ledger(w.js), cfg, gone, nobody)
		if err != nil {
			t.Fatal(err)
		}
		var removed uint64
		for _, s := range report.Swept {
			removed += s.Removed
		}
		if removed != 3+1+2 || report.People != 1 || report.Notices != 1 {
			t.Errorf("%+v", report)
		}
		w.rid(gone, 1)
		if b := w.balance(); b.In != 102 || b.Records != 99 || b.Erased != 3 {
			t.Errorf("%+v", b)
		}
		notice := w.notices()[0]
		if notice.OpenID != gone || notice.AppID != appid || notice.Cause != events.ErasedByRequest || notice.UnionID == "" || notice.UpTo.IsZero() {
			t.Errorf("%+v", notice)
		}

		// Whoever comes back is somebody new.
		calls := w.asked()
		w.publish(1, func(int) []byte { return []byte(gone) })
		w.stored("WX_PROFILES", 100)
		if w.asked() == calls {
			t.Error("the old answer was given again")
		}
		r.stop()
	})
}

// Whom a job was asked for is forgotten: as an openid, and inside of an event's id.
func TestForgetWhomAJobIsAbout(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		viewer := w.viewer(w.bucket())
		gone, stays := string(w.openid(1)), string(w.openid(2))
		id := func(openid string) string { return appid + "|" + openid + "|subscribe|1700000000|" }
		w.publish(1, w.openid)
		w.replay(viewer, "both", 1, 1, job.Spec{OpenIDs: []string{gone, stays}, IDs: []string{id(stays), id(gone)}, Rate: 5})
		w.replay(viewer, "id", 1, 1, job.Spec{IDs: []string{id(gone), "42"}})
		if err := viewer.Forget(w.Context(), appid, func(openid string, _ time.Time) bool { return openid == gone }); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]job.Spec{
			"both": {OpenIDs: []string{"-", stays}, IDs: []string{id(stays), id("-")}, Rate: 5},
			"id":   {IDs: []string{id("-"), "42"}},
		} {
			w.until(name+" names nobody", func() bool { j, _ := viewer.Job(name); return reflect.DeepEqual(j.Spec, want) })
		}
	})
}

// TestEraseWhatIsInHand: an answer that waits for the output while its person is
// erased is not stored, and neither is that of a letter from a restored backup.
func TestEraseWhatIsInHand(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		r := w.heedful(cfg)
		gone := w.acc.OpenID(7)
		w.publish(20, w.openid)
		w.stored("WX_PROFILES", 20)
		w.update("WX_PROFILES", func(c *jetstream.StreamConfig) {
			c.Subjects, c.MaxAge = []string{"wx.elsewhere"}, 0 // age goes by another clock: see eventstest.Bubble
		})
		w.publish(20, w.openid)
		w.until("answers wait", func() bool { return r.State().Output != "" })
		if _, err := w.erase(w.Context(), w.ledger(w.js), cfg, gone, func(string) {}); err != nil {
			t.Fatal(err)
		}
		w.update("WX_PROFILES", func(c *jetstream.StreamConfig) { c.Subjects = []string{"wx.profiles.>"} })
		w.stored("WX_PROFILES", 38)
		w.settled(cfg.Durable)
		w.rid(gone, 1)
		if b := w.balance(); b.In != 40 || b.Records != 38 || b.Erased != 2 {
			t.Errorf("%+v", b)
		}

		before, calls := w.notices()[0].UpTo.Add(-time.Second), w.asked()
		letter := events.DeadLetter{
			Message: events.Message{Source: events.Source{Stream: "WX_EVENTS", Seq: 8, Time: before, Subject: "wx.events." + appid + ".subscribe"}, Data: []byte(gone)},
			EventID: "e", AppID: appid, Reason: events.Exhausted,
		}
		if _, err := w.js.PublishMsg(w.Context(), letter.Msg("wx.dead."+appid+".exhausted")); err != nil {
			t.Fatal(err)
		}
		viewer := w.viewer(kv)
		w.redrive(viewer, "redrive-1", dead.Selection{})
		w.becomes(viewer, "redrive-1", job.Done)
		w.rid(gone, 1)
		if w.asked() != calls {
			t.Error("WeChat was asked about somebody who is erased")
		}
	})
}

// notices reads what consumers were told.
func (w *world) notices() (all []events.Erased) {
	w.Helper()
	n := w.held("WX_ERASED")
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	found := make(chan jetstream.Msg, 1)
	w.follow(ctx, "WX_ERASED", found)
	for range n {
		m := <-found
		e, err := events.ParseErased(m.Headers(), m.Data())
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestEraseDuringAHold: what waited for the account is gone when it goes on.
func TestEraseDuringAHold(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		r := w.heedful(cfg)
		viewer := w.viewer(kv)
		if err := viewer.Hold(w.Context(), appid, "test", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		w.until("it is on hold", func() bool { return r.State().Phase == pipeline.Held })
		w.publish(250, func(i int) []byte { return w.openid(i % 50) })
		gone := w.acc.OpenID(7)
		if _, err := w.erase(w.Context(), w.ledger(w.js), cfg, gone, func(string) {}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := viewer.Resume(w.Context(), appid); err != nil {
			t.Fatal(err)
		}
		w.stored("WX_PROFILES", 245)
		w.settled(cfg.Durable)
		w.rid(gone, 1)
		if b := w.balance(); b.In != 250 || b.Records != 245 || b.Erased != 5 || b.Pending != 0 {
			t.Errorf("%+v", b)
		}
	})
}

// TestEraseKilled cuts the erasure off at each of its steps, while a replay is
// at work and is killed too. A replica ends what was begun; what was in hand
// everywhere, and a restored backup, do not bring the person back.
func TestEraseKilled(t *testing.T) {
	for _, step := range []string{"held", "ordered", "looked once", "never"} {
		t.Run(step, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 600
				kv := w.bucket()
				cfg := erasing()
				r := w.heedful(cfg)
				w.publish(n, func(i int) []byte { return w.openid(i % 60) })
				w.publish(1, func(int) []byte { return []byte(`{"openid":"` + w.acc.OpenID(7) + `","appid":"wxother"}`) })
				w.stored("WX_PROFILES", n)
				w.settled(cfg.Durable)
				time.Sleep(longAfter)
				viewer := w.viewer(kv)
				w.replay(viewer, "replay-1", 1, n, job.Spec{Rate: 100})
				w.stored("WX_PROFILES", n+n/4)

				gone := w.acc.OpenID(7)
				ctx, kill := context.WithCancel(w.Context())
				l := w.ledger(w.js)
				_, err := w.erase(ctx, l, cfg, gone, func(at string) {
					if at == step {
						l.Close() // and with it the beats of its lease
						kill()
					}
				})
				if step == "never" && err != nil || step != "never" && err == nil {
					t.Fatal(err)
				}
				w.stored("WX_PROFILES", n+n/2)
				r.kill()
				w.heedful(cfg)
				w.becomes(viewer, "replay-1", job.Done)
				if step == "held" {
					kill() // nothing was ordered
					if _, err := w.erase(w.Context(), w.ledger(w.js), cfg, gone, func(string) {}); err != nil {
						t.Fatal(err)
					}
				}
				watching := w.ledger(w.js)
				w.until("the order is done", func() bool { return watching.Some() && len(watching.Orders(appid)) == 0 })
				w.redrive(viewer, "redrive-1", dead.Selection{})
				w.becomes(viewer, "redrive-1", job.Done)
				w.settled(cfg.Durable)
				w.rid(gone, 1)
				if b := w.balance(); b.In != n+1 || b.Records != n-n/60 || b.Erased != n/60+1 || b.Pending != 0 {
					t.Errorf("%+v", b)
				}
				kill()
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

// TestEraseUnsubscribed erases whoever has unsubscribed, after a while, and spares
// who follows again in that time, whoever is killed meanwhile.
func TestEraseUnsubscribed(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		cfg.Erase.Unsubscribed, cfg.Erase.After = true, 20*time.Minute
		r, other := w.heedful(cfg), w.heedful(cfg)
		gone, back, again := w.acc.OpenID(7), w.acc.OpenID(8), w.acc.OpenID(9)
		w.publish(20, w.openid)
		w.stored("WX_PROFILES", 20)
		left := time.Now()
		for _, openid := range []string{gone, back, again} {
			w.publishTo("wx.events."+appid+".unsubscribe", 1, func(int) []byte { return []byte(openid) })
		}
		w.stored("WX_PROFILES", 23)
		w.settled(cfg.Durable)
		time.Sleep(5 * time.Minute)
		w.publish(1, func(int) []byte { return []byte(back) })
		w.stored("WX_PROFILES", 24)
		r.kill()
		viewer := w.viewer(kv)
		w.replay(viewer, "replay-1", 1, 23, job.Spec{})
		w.becomes(viewer, "replay-1", job.Done)
		time.Sleep(10 * time.Minute)
		if found := w.naming(gone); found["WX_PROFILES"] != 3 {
			t.Errorf("before it is time: %v", found)
		}
		other.kill()
		r = w.heedful(cfg)
		time.Sleep(10 * time.Minute)
		w.rid(gone, 1)
		w.rid(again, 1)
		if found := w.naming(back); found["WX_PROFILES"] != 4 || found["WX_EVENTS"] != 3 || found["WX_ERASED"] != 0 || found["KV_"+tombstones] != 0 {
			t.Errorf("who follows again: %v", found)
		}
		for _, n := range w.notices() {
			if n.Cause != events.ErasedByUnsubscribe || n.UpTo.Sub(left).Abs() > time.Minute {
				t.Errorf("%+v", n)
			}
		}
		if b := w.balance(); b.In != 24 || b.Records != 20 || b.Erased != 4 {
			t.Errorf("%+v", b)
		}
		w.publish(1, func(int) []byte { return []byte(gone) })
		w.until("who comes back is answered", func() bool { return w.naming(gone)["WX_PROFILES"] == 1 })
		r.stop()
	})
}

// TestEraseOfAFollower: who is erased and follows still is in WeChat's list. A
// backfill does not bring the person back, but whoever has followed anew.
func TestEraseOfAFollower(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Followers: 30}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		r := w.heedful(cfg)
		viewer := w.viewer(kv)
		gone, back := w.acc.OpenID(7), w.acc.OpenID(8)
		w.acc.Follow(gone) // now: other followers have come later, by the bubble's clock
		w.acc.Follow(back)
		w.backfill(viewer, "backfill-1", job.Spec{})
		w.becomes(viewer, "backfill-1", job.Done)
		time.Sleep(time.Minute)
		l := w.ledger(w.js)
		for _, openid := range []string{gone, back} {
			place := erase.Swept{Stream: crawlStream, Kind: erase.KindPlace, Found: 1}
			found, err := pipeline.NewErasure(w.Context(), w.js, l, viewer, cfg).Find(w.Context(), []erase.Order{{AppID: appid, OpenID: openid, UpTo: time.Now()}})
			if err != nil || !slices.Contains(found.Swept, place) {
				t.Errorf("a dry run: %+v: %v", found, err)
			}
			done, err := w.erase(w.Context(), l, cfg, openid, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if place.Removed = 1; !slices.Contains(done.Swept, place) {
				t.Errorf("%+v", done)
			}
			w.rid(openid, 1)
		}
		time.Sleep(time.Minute)
		w.acc.Follow(back)
		w.backfill(viewer, "backfill-2", job.Spec{})
		p := w.becomes(viewer, "backfill-2", job.Done).Progress
		if p.Done != 30 || p.Records != 29 {
			t.Errorf("%+v", p)
		}
		if people := w.people(); people[gone] != 0 || people[back] != 1 || len(people) != 29 {
			t.Errorf("%d people; %d and %d records", len(people), people[gone], people[back])
		}
		lane := audit.DefaultLane(appid)
		lane.Subjects, lane.Waiting = []string{"wx.events." + appid + "." + pipeline.BackfillType}, func(string) bool { return false }
		if b := w.balanceOf(lane); b.In != 60 || b.Records != 57 || b.Erased != 3 {
			t.Errorf("%+v", b)
		}

		// The first list is whole as ever, but for two.
		w.backfill(viewer, "backfill-3", job.Spec{SinceCrawl: "backfill-1"})
		if c := w.becomes(viewer, "backfill-3", job.Done).Crawl; c.Joined != 2 || c.Left != 0 {
			t.Errorf("%+v", c)
		}
		r.stop()
	})
}

// TestEraseByUnionID is of an event of somebody of whom no record tells that the
// unionid is theirs, as in another account: it is found when WeChat answers. The
// audit takes the event for erased, and so does whoever comes upon it later.
func TestEraseByUnionID(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := erasing()
		gone := w.acc.OpenID(7)
		u, err := w.client(appid, secret).UserInfo(w.Context(), wechat.Query{OpenID: gone})
		if err != nil || u.UnionID == "" {
			t.Fatalf("%+v: %v", u, err)
		}
		w.publish(20, w.openid)
		l := w.ledger(w.js)
		if err := l.Prepare(w.Context(), 1, events.Create); err != nil {
			t.Fatal(err)
		}
		upTo := time.Now()
		if err := l.BuryUnion(w.Context(), u.UnionID, upTo, "test", events.ErasedByRequest); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.heedful(cfg)
		w.stored("WX_PROFILES", 19)
		w.settled(cfg.Durable)
		if b := w.balance(); b.In != 20 || b.Records != 19 || b.Erased != 1 {
			t.Errorf("%+v", b)
		}
		if at := w.ledger(w.js).UpTo(appid, gone); !at.Equal(upTo) {
			t.Errorf("a tombstone up to %v, want %v", at, upTo)
		}
		calls := w.asked()
		viewer := w.viewer(kv)
		w.replay(viewer, "replay-1", 8, 8, job.Spec{})
		if p := w.becomes(viewer, "replay-1", job.Done).Progress; p.Skipped != 1 || w.asked() != calls {
			t.Errorf("%+v, %d calls", p, w.asked()-calls)
		}
	})
}
