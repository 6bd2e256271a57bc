//go:build linux

package faults

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestBackfillKilled lists the followers and answers an event of each, and kills
// the replica that does it in all parts of the work.
func TestBackfillKilled(t *testing.T) {
	followers := size(30_000, 1_000_000)
	w := newWorldOf(t, followers, 1, nil)
	w.sim.Inject(wechattest.Fault{
		Match: wechattest.Match{Endpoint: "user/get"}, Do: wechattest.Action{Latency: &wechattest.Latency{Median: wechattest.Duration(300 * time.Millisecond)}},
	})
	run := w.replica("")
	w.exists("WX_EVENTS", "KV_WX_STATE")
	id := w.begins(append([]string{"backfill"}, size([]string{"--rate", "3000"}, nil)...)...)
	listed := func(share float64) func(job.Job) bool {
		return func(j job.Job) bool { return j.Crawl != nil && float64(j.Crawl.Listed) >= share*float64(followers) }
	}
	kills := size(
		[]func(job.Job) bool{listed(0.3), behind(0.4)},
		[]func(job.Job) bool{listed(0.2), listed(0.7), making(0.4), behind(0.3), behind(0.7)},
	)
	for _, point := range kills {
		w.comesTo(id, point)
		run.kill()
		run = w.replica("")
	}
	w.reaches(id, nil)
	run.stop()

	asked, pages := w.account.Stats().Calls["user/get"], (followers+9_999)/10_000+1
	t.Logf("%d followers, killed %d times: %d calls of user/get for %d pages, %d of user/info/batchget",
		followers, len(kills), asked, pages, w.account.Stats().Calls["user/info/batchget"])
	if extra := asked - pages; extra < 0 || extra > pages {
		t.Errorf("%d calls of user/get beyond the %d pages", extra, pages)
	}
	made, answered := make(map[string]int), make(map[string]int)
	w.read("WX_EVENTS", func(m jetstream.Msg, _ time.Time) { made[string(m.Data())]++ })
	w.read("WX_PROFILES", func(m jetstream.Msg, _ time.Time) { answered[m.Headers().Get(events.HeaderOpenID)]++ })
	for i := range followers {
		if openid := w.account.OpenID(i); made[openid] != 1 || answered[openid] != 1 {
			t.Fatalf("follower %d has %d events and %d records", i, made[openid], answered[openid])
		}
	}
	if len(made) != followers || len(answered) != followers {
		t.Errorf("events of %d people, records of %d", len(made), len(answered))
	}
}

// making is the point at which there are events of a share of the followers.
func making(share float64) func(job.Job) bool {
	return func(j job.Job) bool {
		return j.Crawl != nil && j.Crawl.Whole && j.Range.To == 0 && j.Progress.Total > 0 && float64(j.Progress.Done) >= share*float64(j.Progress.Total)
	}
}
