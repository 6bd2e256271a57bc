package pipeline_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// replayOfAll adds the job "replay-1" for a viewer, who may price it.
func (w *world) replayOfAll(kv jetstream.KeyValue, n uint64) (viewer *pipeline.Board, j job.Job) {
	w.Helper()
	viewer = w.viewer(kv)
	w.replay(viewer, "replay-1", 1, n, job.Spec{})
	j, err := viewer.Job("replay-1")
	if err != nil {
		w.Fatal(err)
	}
	return viewer, j
}

func TestPriceOfAReplay(t *testing.T) {
	for name, memory := range map[string]int64{"all answers fit": 16 << 20, "few answers fit": 1 << 20, "none is kept": 0} {
		if scale > 1 && name != "few answers fit" {
			continue // the race detector needs one
		}
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const smaller = min(scale, 2)
				const n, people = 12_000 / smaller, 6_000 / smaller
				memory := memory / smaller
				kv := w.bucket()
				rng := rand.New(rand.NewPCG(1, 2))
				w.publish(n, func(i int) []byte {
					switch {
					case i%100 == 7:
						return []byte(`{"openid":"` + string(w.openid(i)) + `","type":"unsubscribe"}`)
					case i%100 == 8:
						return []byte("not an openid")
					}
					return w.openid(int(math.Floor(people * rng.Float64())))
				})
				cfg := lifelike()
				w.start(cfg, w.board(kv), func(d *pipeline.Deps) { d.Recent = pipeline.NewRecent(memory) })
				w.answers(n)
				time.Sleep(time.Hour)
				viewer, j := w.replayOfAll(kv, n)
				calls := w.asked()
				price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, memory, nil)
				if err != nil || w.asked() != calls {
					t.Fatalf("%v; %d calls", err, w.asked()-calls)
				}
				w.becomes(viewer, "replay-1", job.Done)
				took := w.asked() - calls
				t.Logf("%+v, took %d", price, took)
				if off := math.Abs(float64(price.Calls)/float64(took) - 1); off > 0.05 {
					t.Errorf("priced at %d calls, took %d", price.Calls, took)
				}
				if price.Messages != n || price.Free != n/50 {
					t.Errorf("%+v", price)
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

// TestPriceOfRefusedPeople replays a range in which many are refused, and of whom
// it is known, since they were before; and a part that nobody has answered yet,
// where as many are.
func TestPriceOfRefusedPeople(t *testing.T) {
	for name, every := range map[string]int{"one in 200": 200, "one in 50": 50, "one in 10": 10} {
		if scale > 1 && every != 50 {
			continue // the race detector needs one
		}
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 6_000 / min(scale, 3)
				kv := w.bucket()
				person := func(i int) []byte {
					if i%every == every/2 {
						return []byte(w.acc.BadOpenID(i % 1500))
					}
					return w.openid(i)
				}
				w.publish(n, person)
				cfg := lifelike()
				w.start(cfg, w.board(kv))
				w.answers(n)
				w.settled(cfg.Durable)
				time.Sleep(time.Hour)
				viewer, j := w.replayOfAll(kv, n)
				price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
				if err != nil {
					t.Fatal(err)
				}
				calls := w.asked()
				w.becomes(viewer, "replay-1", job.Done)
				took := w.asked() - calls
				t.Logf("%+v, took %d", price, took)
				if off := math.Abs(float64(price.Expected.Calls)/float64(took) - 1); off > 0.05 {
					t.Errorf("priced at %d calls, took %d", price.Expected.Calls, took)
				}
				if price.Calls > n/100+1 || price.New != 0 || price.Refused == 0 {
					t.Errorf("%+v", price)
				}
				if every != 50 {
					return
				}
				const more = 3_000 // of which nobody knows anything but the share
				for i := range more {
					body := w.openid(n + i)
					if i%every == 7 {
						body = []byte(w.acc.BadOpenID(10_000 + i))
					}
					if _, err := w.js.PublishAsync("wx.events."+appid+".SCAN", body); err != nil {
						t.Fatal(err)
					}
				}
				<-w.js.PublishAsyncComplete()
				j = job.Job{
					ID: "replay-2", AppID: appid, Kind: job.Replay, Lane: cfg.Durable, State: job.Pending, Created: time.Now(),
					Range:    job.Range{Stream: j.Range.Stream, Born: j.Range.Born, Subjects: []string{"wx.events." + appid + ".SCAN"}, From: n + 1, To: n + more},
					Progress: job.Progress{Total: more},
				}
				if price, err = pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil); err != nil {
					t.Fatal(err)
				}
				if err := viewer.AddJob(w.Context(), j); err != nil {
					t.Fatal(err)
				}
				calls = w.asked()
				w.becomes(viewer, "replay-2", job.Done)
				took = w.asked() - calls
				t.Logf("%+v, took %d", price, took)
				if off := math.Abs(float64(price.Expected.Calls)/float64(took) - 1); off > 0.05 || price.New != more || price.Refused != 0 || int64(took) < price.Expected.Least || int64(took) > price.Expected.Most {
					t.Errorf("priced at %d calls, took %d: %+v", price.Expected.Calls, took, price)
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

// TestPriceGoesByTheAccountsCalls: with a rate, how many people come while a group is
// split depends on how long that takes, and so does who shares the next call.
func TestPriceGoesByTheAccountsCalls(t *testing.T) {
	for name, account := range map[string]struct {
		latency time.Duration
		rate    float64
	}{"fast": {time.Millisecond, 0}, "as in life": {100 * time.Millisecond, 0}, "few a second": {60 * time.Millisecond, 5}} {
		if scale > 1 && name != "fast" {
			continue // the race detector needs one
		}
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n, good = 100, 10 // of these somebody is to be answered, or the account is taken for the wrong one
				kv := w.bucket()
				w.publish(good+n, func(i int) []byte {
					if i < good {
						return w.openid(i)
					}
					return []byte(w.acc.BadOpenID(i))
				})
				cfg := lifelike()
				cfg.Rate = account.rate
				w.start(cfg, w.board(kv))
				w.answers(good + n)
				w.settled(cfg.Durable)
				time.Sleep(time.Minute)
				viewer := w.viewer(kv)
				latency := account.latency
				if q, _ := viewer.Quota(cfg, time.Now()); math.Abs(q.Call.Middle.Seconds()/latency.Seconds()-1) > 0.05 {
					t.Errorf("a call takes %v, want %v", q.Call, latency)
				}
				const rate = 20
				from, to, spec := uint64(good+1), uint64(good+n), job.Spec{Rate: rate}
				j := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: cfg.Subjects, From: from, To: to}, Spec: spec}
				price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
				if err != nil {
					t.Fatal(err)
				}
				before, began := w.asked(), time.Now()
				w.replay(viewer, "replay-1", from, to, spec)
				w.becomes(viewer, "replay-1", job.Done)
				took, lasted := int64(w.asked()-before), time.Since(began)
				if off(price.Expected.Calls, took) || took < price.Expected.Least || took > price.Expected.Most {
					t.Errorf("priced at %+v, took %d calls", price.Expected, took)
				}
				if takes := price.Takes(rate); math.Abs(takes.Seconds()/lasted.Seconds()-1) > 0.1 {
					t.Errorf("priced at %v, took %v", takes, lasted)
				}
			}, wechattest.WithLatency(wechattest.Constant(account.latency)))
		})
	}
}

// TestPriceOfAnswersThatServe: a replay may find answers of those who are not refused,
// and its price names what it takes then too.
func TestPriceOfAnswersThatServe(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 120
		kv := w.bucket()
		w.publish(n, func(i int) []byte {
			if i%6 == 5 {
				return []byte(w.acc.BadOpenID(i))
			}
			return w.openid(i)
		})
		cfg := lifelike()
		w.start(cfg, w.board(kv), func(d *pipeline.Deps) { d.Recent = pipeline.NewRecent(16 << 20) })
		w.answers(n)
		w.settled(cfg.Durable)
		time.Sleep(time.Minute)
		viewer := w.viewer(kv)
		var prices [2]pipeline.Price
		spec := job.Spec{}
		for i := range prices {
			if i > 0 {
				spec.MaxAge = time.Hour
			}
			j := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: cfg.Subjects, From: 1, To: n}, Spec: spec}
			var err error
			if prices[i], err = pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil); err != nil {
				t.Fatal(err)
			}
		}
		before := w.asked()
		w.replay(viewer, "replay-1", 1, n, spec)
		w.becomes(viewer, "replay-1", job.Done)
		took, none, some := int64(w.asked()-before), prices[0].Expected, prices[1].Expected
		t.Logf("%d calls; priced at %+v without answers, at %+v with", took, none, some)
		if took < some.Least || took > some.Most || some.Calls < none.Calls {
			t.Errorf("%d calls, priced at %+v", took, some)
		}
		if took >= none.Least {
			t.Errorf("%d calls, no fewer than without answers: %+v", took, none)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// TestPriceOfFew replays a few events at a time, good or bad, where each call that
// proves a refusal shows; all at once, and one after the other.
func TestPriceOfFew(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		const patterns = "b g bb bg gb bbb gbg bgbg ggggb bbbbbbbb bggggggggg gggggggggb"
		w.publish(len(patterns), func(i int) []byte {
			if patterns[i] == 'b' {
				return []byte(w.acc.BadOpenID(i))
			}
			return w.openid(i)
		})
		cfg := lifelike()
		w.start(cfg, w.board(kv))
		w.answers(len(patterns))
		w.settled(cfg.Durable)
		time.Sleep(time.Minute)
		viewer := w.viewer(kv)
		for _, rate := range []float64{0, 0.5} {
			from := uint64(1)
			for pattern := range strings.FieldsSeq(patterns) {
				id, to := fmt.Sprintf("replay-%s-%g", pattern, rate*10), from+uint64(len(pattern))-1
				first := from
				if from = to + 2; rate > 0 && len(pattern) > 3 {
					continue
				}
				j := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: cfg.Subjects, From: first, To: to}, Spec: job.Spec{Rate: rate}}
				price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
				if err != nil {
					t.Fatal(err)
				}
				calls := w.asked()
				w.replay(viewer, id, first, to, j.Spec)
				w.becomes(viewer, id, job.Done)
				took := int64(w.asked() - calls)
				if off := max(took-price.Expected.Calls, price.Expected.Calls-took); off > max(1, took/10) { // which of two comes first is chance
					t.Errorf("%s at %g: priced at %d calls, took %d", pattern, rate, price.Expected.Calls, took)
				}
			}
		}
	})
}

// TestShareOfAPrice: what is left of today's share counts, and what it does not
// suffice for goes on after midnight in Beijing.
func TestShareOfAPrice(t *testing.T) {
	t.Parallel()
	cfg := pipeline.DefaultConfig(appid)
	cfg.BulkShare = 0.3
	now := time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		calls, limit, bulk int64
		days               int64
		waits              bool
		goesOn             time.Time
	}{
		"nobody has said what a day has": {100, 0, 0, 0, false, time.Time{}},
		"nothing to ask":                 {0, 1000, 300, 0, false, time.Time{}},
		"enough":                         {300, 1000, 0, 1, false, time.Time{}},
		"just enough is left":            {200, 1000, 100, 1, false, time.Time{}},
		"too little is left":             {201, 1000, 100, 2, false, midnight},
		"nothing is left":                {200, 1000, 300, 1, true, midnight},
		"for days":                       {1000, 1000, 299, 5, false, midnight},
	} {
		p := pipeline.Price{Calls: c.calls, Expected: pipeline.Outlook{Calls: c.calls}, BatchSize: 100}
		q := pipeline.Quota{Limit: c.limit, Bulk: c.bulk, Unit: "call"}
		if days, waits, goesOn := p.Days(cfg, q), p.Waits(cfg, q), p.GoesOn(cfg, q, now); days != c.days || waits != c.waits || !goesOn.Equal(c.goesOn) {
			t.Errorf("%s: %d days, waits %v, goes on at %v", name, days, waits, goesOn)
		}
	}
}

// A person in several languages takes as many calls, since no call names an openid
// twice.
func TestPriceOfLanguages(t *testing.T) {
	langs := []string{"zh_CN", "en", "zh_TW"}
	for name, of := range map[string]func(i int) (person int, lang string){
		"one after the other": func(i int) (int, string) { return i / 3, langs[i%3] },
		"all, all again":      func(i int) (int, string) { return i % 100, langs[i/100] },
		"some in a second":    func(i int) (int, string) { return i - (i+1)/20, langs[i%20/19] },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 300
				kv := w.bucket()
				people := map[int]bool{}
				w.publish(n, func(i int) []byte {
					person, lang := of(i)
					people[person] = true
					return fmt.Appendf(nil, `{"openid":%q,"lang":%q}`, w.openid(person), lang)
				})
				cfg := lifelike()
				w.start(cfg, w.board(kv))
				w.answers(n)
				time.Sleep(time.Hour)
				viewer, j := w.replayOfAll(kv, n)
				before := w.asked()
				price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 0, nil)
				if err != nil {
					t.Fatal(err)
				}
				w.becomes(viewer, "replay-1", job.Done)
				if took := w.asked() - before; off(price.Calls, int64(took)) || price.OpenIDs != int64(len(people)) {
					t.Errorf("%d calls, want %d; %d openids, want %d", price.Calls, took, price.OpenIDs, len(people))
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}
