package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// Two readings of the counter tell what a batch costs, although another service
// spends from the same quota.
func TestCostOfABatchIsFoundOut(t *testing.T) {
	for unit, perOpenID := range map[string]bool{"call": false, "openid": true} {
		t.Run(unit, func(t *testing.T) {
			account := wechattest.AccountConfig{
				Limits: wechattest.Limits{UserInfo: 500_000},
				Quirks: wechattest.Quirks{CostPerOpenID: perOpenID},
			}
			inBubble(t, account, func(w *world) {
				cfg := lifelike()
				cfg.BatchSize = 20
				lane := w.start(cfg)
				another := w.client(appid, secret)
				for hour := range 4 {
					w.publish(1200, func(i int) []byte { return w.openid(1200*hour + i) })
					for i := range 100 {
						if _, err := another.BatchGet(w.Context(), []wechat.Query{{OpenID: w.acc.OpenID(i)}}); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(61 * time.Minute)
				}
				w.publish(1, w.openid) // a busy moment: WeChat is asked again
				time.Sleep(time.Minute)

				q := lane.Quota()
				if q.Unit != unit || q.Limit != 500_000 {
					t.Errorf("quota: %+v, want the unit %s", q, unit)
				}
				spent := int64(w.acc.Stats().Calls[batchget])
				if perOpenID {
					spent = int64(w.acc.Stats().OpenIDs)
				}
				if q.Used < spent-1 || q.Used > spent+1 { // the last call and its reading are at one time
					t.Errorf("used %d, WeChat counts %d", q.Used, spent)
				}
				if n := w.acc.Stats().Calls["openapi/quota/get"]; n != 5 {
					t.Errorf("WeChat was asked for the quota %d times, want once for each busy hour", n)
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

func TestShareOfTheQuotaHoldsUntilMidnight(t *testing.T) {
	account := wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 100}}
	inBubble(t, account, func(w *world) {
		midnight := time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)
		cfg := lifelike()
		cfg.QuotaUse, cfg.QuotaUnit, cfg.BatchSize = 0.5, "call", 10
		w.publish(800, w.openid)
		lane := w.start(cfg)

		time.Sleep(time.Hour)
		h := lane.State().Hold
		if h == nil || h.Reason != pipeline.HoldDailyQuota || h.Hint == "" || h.Detail == "" {
			w.Fatalf("hold: %+v", h)
		}
		if h.Until.Before(midnight) || h.Until.After(midnight.Add(10*time.Minute)) {
			t.Errorf("held until %v, want soon after midnight in Beijing", h.Until)
		}
		// A reading does not say which of the calls in flight it has counted.
		if n := w.asked(); n < 50 || n > 50+cfg.Concurrency {
			t.Errorf("%d calls of the 50 that are ours", n)
		}
		time.Sleep(time.Until(midnight.Add(-time.Minute)))
		if n := w.asked(); n > 50+cfg.Concurrency {
			t.Errorf("%d calls before midnight: the account was probed", n)
		}
		w.answers(800) // the next day
		if q := lane.Quota(); q.Used > 40 || q.Limit != 50 {
			t.Errorf("quota of the next day: %+v", q)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// A probe of an account that our own limit holds tells that it is that: the hold
// stays, with one try more.
func TestProbeUnderOurOwnLimit(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BatchSize = 20, "call", 10
		w.publish(300, w.openid)
		lane := w.start(cfg, w.board(kv))
		time.Sleep(time.Minute)
		w.wantHold(lane, pipeline.HoldDailyQuota, 0)
		viewer, since := w.viewer(kv), lane.State().Hold.Since
		for probes := 1; probes <= 2; probes++ {
			calls := w.asked()
			if n, err := viewer.Probe(w.Context(), appid); n != 1 || err != nil {
				t.Fatalf("%d holds to try: %v", n, err)
			}
			w.until("it is tried", func() bool { hs := viewer.Holds(appid); return len(hs) == 1 && hs[0].Probes == probes })
			h := viewer.Holds(appid)[0]
			if !strings.HasPrefix(h.Detail, "WeChat answers, but ") || !strings.Contains(h.Hint, "raise quota.limit") || !h.Since.Equal(since) {
				t.Errorf("hold: %+v", h)
			}
			w.wantHold(lane, pipeline.HoldDailyQuota, 0)
			if n := w.asked() - calls; n != 1 {
				t.Errorf("%d calls for a probe", n)
			}
		}
		w.answers(300) // on the following days, a few calls each
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// Who has raised the account's own limit need not say so a second time; a start
// alone tries nothing.
func TestRaisedLimitEndsItsHold(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BatchSize = 20, "call", 10
		w.publish(300, w.openid)
		began := time.Now()
		for _, limit := range []int64{20, 20, 100} {
			cfg.QuotaLimit = limit
			before := w.asked()
			lane := w.start(cfg, w.board(kv))
			if limit == 100 {
				w.answers(300)
				break
			}
			time.Sleep(time.Minute)
			w.wantHold(lane, pipeline.HoldDailyQuota, 0)
			if n := w.asked() - before; before > 0 && n > 0 {
				t.Errorf("%d calls under the limit that had brought the hold about", n)
			}
			lane.stop()
		}
		if d := time.Since(began); d > time.Hour {
			t.Errorf("it went on after %v only", d)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

func TestIdleLaneDoesNotAskForTheQuota(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		lane := w.start(lifelike())
		time.Sleep(24 * time.Hour)
		if n := w.acc.Stats().Calls["openapi/quota/get"]; n != 0 {
			t.Errorf("an idle lane asked %d times", n)
		}
		if q := lane.Quota(); q != (pipeline.Quota{Unit: "unknown"}) {
			t.Errorf("quota: %+v", q)
		}
	})
}

func TestQuotaThatIsNotToldIsNoFault(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "openapi/quota/get"}, Do: wechattest.Action{Code: 76022}})
		w.publish(100, w.openid)
		lane := w.start(lifelike())
		w.answers(100)
		if s := lane.State(); s.Phase != pipeline.Running {
			t.Errorf("state: %+v", s)
		}
		if q := lane.Quota(); q.Limit != 0 || q.Used != 100 {
			t.Errorf("quota: %+v, want no limit and what was counted", q)
		}
	})
}

func TestReplicasShareTheQuota(t *testing.T) {
	account := wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 100_000}}
	inBubble(t, account, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize, cfg.Recheck = 10, 0
		kv := w.bucket()
		lanes := []*running{w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv))}
		w.publish(6000, w.openid)
		w.answers(6000)
		time.Sleep(10 * time.Second)
		spent := int64(w.asked())
		for i, l := range lanes {
			if c := l.Stats().Counts(); c.Calls == 0 {
				t.Errorf("replica %d did nothing", i)
			}
			q := l.Quota()
			if used := q.Used; q.Limit != 100_000 || q.Unit == "call" && used != spent {
				t.Errorf("replica %d: %+v, while WeChat has counted %d calls", i, q, spent)
			}
			l.stop()
		}
		if n := w.acc.Stats().Calls["openapi/quota/get"]; n > 4 {
			t.Errorf("WeChat was asked for the quota %d times", n)
		}

		again := w.start(cfg, w.board(kv))
		w.until("it runs", func() bool { return again.State().Phase == pipeline.Running })
		before, after := lanes[0].Quota(), again.Quota()
		if before.Used != after.Used || before.Limit != after.Limit {
			t.Errorf("after a restart: %+v, before: %+v", after, before)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// Without a token nothing is asked, and nothing is spent.
func TestCallsThatWereNotMadeAreNotSpent(t *testing.T) {
	for name, do := range map[string]wechattest.Action{"502": {Status: 502}, "hang": {Hang: true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{Quirks: wechattest.Quirks{CostPerOpenID: true}}, func(w *world) {
				cfg := lifelike()
				cfg.QuotaLimit, cfg.QuotaUnit, cfg.Recheck = 5000, "openid", 0
				w.publish(1000, w.openid)
				mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"}, Do: do})
				lane := w.start(cfg, w.board(w.bucket()))
				time.Sleep(time.Hour)
				if c, q := lane.Stats().Counts(), lane.Quota(); c.Calls != 0 || c.Retries < 30 || q.Used > int64(cfg.Concurrency*cfg.BatchSize) {
					t.Errorf("%d calls, %d retries and quota %+v, want none but those that wait for a token", c.Calls, c.Retries, q)
				}
				mend()
				w.answers(1000)
				time.Sleep(time.Minute)
				stats := w.acc.Stats()
				if c, q := lane.Stats().Counts(), lane.Quota(); c.Calls != int64(stats.Calls[batchget]) || q.Used < 600 || q.Used > 1400 { // a reading does not say what it has counted of four calls in flight
					t.Errorf("%d calls and quota %+v, WeChat has counted %d calls with %d openids", c.Calls, q, stats.Calls[batchget], stats.OpenIDs)
				}
			})
		})
	}
}

// What a batch costs is not known at first. A small limit of our own is not
// reached by a guess: WeChat is asked before the account rests.
func TestSmallLimitIsNotReachedByAGuess(t *testing.T) {
	for unit, want := range map[string]int{"call": 500, "openid": 25} {
		t.Run(unit, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{Quirks: wechattest.Quirks{CostPerOpenID: unit == "openid"}}, func(w *world) {
				cfg := lifelike()
				cfg.QuotaLimit, cfg.BatchSize, cfg.Recheck = 500, 20, 0
				w.publish(11_000, w.openid)
				lane := w.start(cfg, w.board(w.bucket()))
				time.Sleep(2 * time.Hour)
				h := lane.State().Hold
				if h == nil || h.Reason != pipeline.HoldDailyQuota {
					t.Errorf("hold: %+v", h)
				}
				if n := w.asked(); n < want || n > want+cfg.Concurrency {
					t.Errorf("%d calls, want the %d that are ours", n, want)
				}
				if n := w.acc.Stats().Calls["openapi/quota/get"]; n > 6 {
					t.Errorf("WeChat was asked for the quota %d times", n)
				}
			}, wechattest.WithLatency(wechattest.LogNormal(60*time.Millisecond, 152*time.Millisecond)))
		})
	}
}

// Another service spends more of the quota than we do, and we may use half of
// it: WeChat says every hour what both have used, and that is what counts.
func TestOthersSpendTheSameQuota(t *testing.T) {
	for unit, limit := range map[string]int{"call": 1000, "openid": 20_000} {
		t.Run(unit, func(t *testing.T) {
			account := wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: limit}, Quirks: wechattest.Quirks{CostPerOpenID: unit == "openid"}}
			inBubble(t, account, func(w *world) {
				cfg := lifelike()
				cfg.QuotaUse, cfg.BatchSize, cfg.Recheck = 0.5, 20, 0
				lane := w.start(cfg, w.board(w.bucket()))
				another := w.client(appid, secret)
				most := 3 * limit / 20 // of the others in an hour
				used := func() int64 {
					q, err := another.Quota(w.Context(), "/cgi-bin/"+batchget)
					if err != nil {
						t.Fatal(err)
					}
					return q.Used
				}
				published := 0
				for hour := 0; lane.State().Phase != pipeline.Held; hour++ {
					if hour == 8 {
						t.Fatalf("still running with %d used of %d", used(), limit)
					}
					size := 1
					if unit == "openid" {
						size = 50
					}
					var qs []wechat.Query
					for i := range size {
						qs = append(qs, wechat.Query{OpenID: w.acc.OpenID(i)})
					}
					for range most / size {
						if _, err := another.BatchGet(w.Context(), qs); err != nil {
							t.Fatal(err)
						}
					}
					ours := 50 * 20 // fifty calls
					if published+ours > 90_000 {
						t.Fatal("no followers are left")
					}
					w.publish(ours, func(i int) []byte { return w.openid(published + i) })
					published += ours
					time.Sleep(61 * time.Minute)
				}
				h := lane.State().Hold
				if h.Reason != pipeline.HoldDailyQuota || h.Code != 0 {
					t.Errorf("hold: %+v, want one of our own", h)
				}
				// What others spend is known once an hour.
				if n := int(used()); n < limit/2-cfg.Concurrency*cfg.BatchSize || n > limit/2+most+cfg.Concurrency*cfg.BatchSize {
					t.Errorf("held when %d of %d were used, want half, and what others use in an hour at most", n, limit)
				}
				// Unknown, which counts like openid, is as much as can be said while others spend that much.
				if q := lane.Quota(); q.Unit != unit && (q.Unit != "unknown" || unit == "call") {
					t.Errorf("quota: %+v, want the unit %s", q, unit)
				}
			}, wechattest.WithLatency(wechattest.Constant(50*time.Millisecond)))
		})
	}
}
