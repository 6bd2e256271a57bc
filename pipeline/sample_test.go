package pipeline_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// sampled answers a batch only after a call for one person alone, and spoils
// the row of the first who was asked in the first batch.
type sampled struct {
	pipeline.Directory
	alone chan struct{} // a slot for each answer
	spoil func(rows []wechat.User, first int)
}

func (s *sampled) UserInfo(ctx context.Context, q wechat.Query) (wechat.User, error) {
	u, err := s.Directory.UserInfo(ctx, q)
	s.alone <- struct{}{}
	return u, err
}

func (s *sampled) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	if len(qs) > 1 {
		<-s.alone
		time.Sleep(10 * time.Millisecond) // until the lane has it
	}
	rows, err := s.Directory.BatchGet(ctx, qs)
	for i := range rows {
		if s.spoil != nil && rows[i].OpenID == qs[0].OpenID {
			s.spoil(rows, i)
			s.spoil = nil
			break
		}
	}
	return rows, err
}

func TestSamples(t *testing.T) {
	for _, tc := range []struct {
		field  string
		spoil  func(rows []wechat.User, first int)
		doubts int64
		calls  int64
	}{
		{"", func([]wechat.User, int) {}, 0, 2},
		{"unionid", func(rows []wechat.User, i int) {
			other := (i + 1) % len(rows)
			rows[i].UnionID, rows[other].UnionID = rows[other].UnionID, rows[i].UnionID
		}, 1, 5}, // the last is for the other, of whom two answers differ
		{"subscribe", func(rows []wechat.User, i int) { rows[i].Subscribe, rows[i].UnionID = 0, "" }, 1, 4},
		{"other", func(rows []wechat.User, i int) {
			rows[i].Raw = bytes.Replace(rows[i].Raw, []byte(`"remark":"`), []byte(`"remark":"not `), 1)
		}, 0, 2},
	} {
		t.Run("differs in "+tc.field, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 50
				w.publish(n, w.openid)
				cfg := config()
				cfg.Fixed, cfg.SampleCheck, cfg.Recheck = true, 0.01, 0
				var log bytes.Buffer
				lane := w.start(cfg, func(d *pipeline.Deps) {
					d.WeChat = &sampled{Directory: d.WeChat, alone: make(chan struct{}, 100), spoil: tc.spoil}
					d.Rand = func() float64 { return 0 } // the first of each batch
					d.Log = slog.New(slog.NewTextHandler(&log, nil))
				})
				answers := w.answers(n)
				w.unionids(answers)
				if got := count(answers); got["following"] != n {
					w.Errorf("answers: %v", got)
				}
				lane.stop()
				c := lane.Stats().Counts()
				if c.Doubts["sample_differs"] != tc.doubts || c.Samples != 1+tc.doubts || c.Calls != tc.calls {
					w.Errorf("%d in doubt, %d samples, %d calls", c.Doubts["sample_differs"], c.Samples, c.Calls)
				}
				for field, n := range c.Differences {
					if (n == 1) != (field == tc.field) {
						w.Errorf("%d differ in %s", n, field)
					}
				}
				if warned := strings.Contains(log.String(), "field="+tc.field); warned != (tc.field != "") || strings.Contains(log.String(), w.acc.OpenID(0)) {
					w.Errorf("log:\n%s", &log)
				}
			})
		})
	}
}

func TestNoSamplesUnlessWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(1000, w.openid)
	lane := w.start(config(), func(d *pipeline.Deps) { d.Rand = func() float64 { return 0 } })
	w.answers(1000)
	if n := w.acc.Stats().Calls["user/info"]; n != 0 || lane.Stats().Counts().Samples != 0 {
		t.Errorf("%d calls for one person", n)
	}
}

// late answers for one person alone when the batch is long forgotten.
type late struct{ pipeline.Directory }

func (l late) UserInfo(ctx context.Context, q wechat.Query) (wechat.User, error) {
	time.Sleep(time.Minute)
	u, err := l.Directory.UserInfo(ctx, q)
	u.UnionID = "another"
	return u, err
}

func TestNobodyWaitsForASample(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 200
		w.publish(n, w.openid)
		cfg := config()
		cfg.SampleCheck = 0.01
		lane := w.start(cfg, func(d *pipeline.Deps) {
			d.WeChat = late{d.WeChat}
			d.Rand = func() float64 { return 0 }
		})
		for _, a := range w.answers(n) {
			if waited := a.stored.Sub(a.record.Event.Source.Time); waited > time.Minute/2 {
				w.Fatalf("event %d waited for %v", a.src(w), waited)
			}
		}
		time.Sleep(2 * time.Minute)
		if c := lane.Stats().Counts(); c.Samples != 2 || c.Differences["unionid"] != 2 || c.Doubts["sample_differs"] != 0 {
			w.Errorf("%d samples, %v differ, %v in doubt", c.Samples, c.Differences, c.Doubts)
		}
	})
}
