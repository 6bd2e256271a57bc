package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const backfillSubject = "wx.events." + appid + ".backfill"

// backfill writes down a job for the account's followers.
func (w *world) backfill(b *pipeline.Board, id string, spec job.Spec, begun ...*job.Crawl) {
	w.Helper()
	var crawl *job.Crawl
	if len(begun) > 0 {
		crawl = begun[0]
	}
	if err := b.AddJob(w.Context(), job.Job{
		ID: id, AppID: appid, Kind: job.Backfill, Lane: config().Durable, Spec: spec,
		Range: job.Range{Stream: "WX_EVENTS", Subjects: []string{backfillSubject}}, Crawl: crawl, State: job.Pending, Created: time.Now(),
	}); err != nil {
		w.Fatal(err)
	}
}

// people counts the records of each person, and fails the test if one is of a
// replay.
func (w *world) people() map[string]int {
	w.Helper()
	count := make(map[string]int)
	found := make(chan jetstream.Msg, 100)
	w.follow(w.Context(), "WX_PROFILES", found)
	for range w.held("WX_PROFILES") {
		h := (<-found).Headers()
		count[h.Get(events.HeaderOpenID)]++
		if h.Get(events.HeaderReplay) != "" {
			w.Fatalf("a record is of replay %s", h.Get(events.HeaderReplay))
		}
	}
	return count
}

func (w *world) pages() int { return w.acc.Stats().Calls["user/get"] }

func TestBackfillKilled(t *testing.T) {
	const followers = 12_000
	inBubble(t, wechattest.AccountConfig{Followers: followers}, func(w *world) {
		kv := w.bucket()
		viewer := w.viewer(kv)
		cfg := lifelike()
		if _, _, err := events.EnsureStream(w.Context(), w.js, events.StreamSpec{Name: crawlStream, Subjects: []string{"wx.crawls.>"}}, events.Create); err != nil {
			t.Fatal(err) // only so that the test can look at it before it is there
		}
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/get"}, Do: wechattest.Action{Latency: new(wechattest.Constant(2 * time.Second))}})
		r := w.replica(cfg)
		w.backfill(viewer, "backfill-1", job.Spec{})
		stages := []func() bool{
			func() bool { return w.held(crawlStream) >= 1 },
			func() bool { return w.held(crawlStream) >= 2 },
			func() bool { return w.held("WX_EVENTS") >= followers/2 },
			func() bool { return w.held("WX_PROFILES") >= 1000 },
			func() bool { return w.held("WX_PROFILES") >= followers*2/3 },
		}
		for _, reached := range stages {
			w.until("the next stage", reached)
			r.kill()
			time.Sleep(longAfter)
			r = w.replica(cfg)
		}
		j := w.becomes(viewer, "backfill-1", job.Done)
		t.Logf("%+v, %+v, %d pages", j.Progress, *j.Crawl, w.pages())
		if p := j.Progress; p.Records != followers || p.Uncounted() != 0 || p.Repeats != 0 || j.TakenOver != len(stages) {
			t.Errorf("taken over %d times: %+v", j.TakenOver, p)
		}
		if n := w.held("WX_EVENTS"); n != followers {
			t.Errorf("%d events for %d followers", n, followers)
		}
		people := w.people()
		for openid, n := range people {
			if n != 1 {
				t.Errorf("%s has %d records", openid, n)
			}
		}
		if len(people) != followers {
			t.Errorf("records of %d people, want %d", len(people), followers)
		}
		if pages := w.pages(); pages > 3+2 { // two pages, one that is empty, and one in flight at each of two kills
			t.Errorf("%d calls of user/get", pages)
		}
		if asked := w.asked(); asked > followers/100+2*10 {
			t.Errorf("%d calls for %d people", asked, followers)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

func TestBackfillOfSome(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Followers: 500}, func(w *world) {
		kv := w.bucket()
		viewer := w.viewer(kv)
		w.publish(200, w.openid)
		w.backfill(viewer, "backfill-dead", job.Spec{DryRun: true}) // whose asker is killed
		time.Sleep(3 * time.Minute)
		w.start(lifelike(), w.board(kv))
		w.answers(200)
		if w.becomes(viewer, "backfill-dead", job.Cancelled); w.pages() != 0 {
			t.Errorf("%d pages for somebody who does not wait", w.pages())
		}

		w.backfill(viewer, "backfill-dry", job.Spec{DryRun: true})
		if j := w.becomes(viewer, "backfill-dry", job.Done); j.Crawl.Followers != 500 || w.pages() != 1 || w.held("WX_EVENTS") != 200 {
			t.Errorf("a dry run: %+v, %d pages", j.Crawl, w.pages())
		}
		w.backfill(viewer, "backfill-1", job.Spec{Missing: true})
		if p := w.becomes(viewer, "backfill-1", job.Done).Progress; p.Total != 300 || p.Records != 300 {
			t.Errorf("only those who are missing: %+v", p)
		}
		once := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: []string{backfillSubject}, From: 1, To: 500}}
		if price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, lifelike(), &once, 16<<20, nil); err != nil || price.OpenIDs != 300 || price.New != 0 {
			t.Errorf("the price of what a backfill has answered: %+v, %v", price, err)
		}
		people := w.people()
		for i := range 500 {
			if n := people[w.acc.OpenID(i)]; n != 1 {
				t.Fatalf("person %d has %d records", i, n)
			}
		}
		w.backfill(viewer, "backfill-2", job.Spec{Missing: true})
		if j := w.becomes(viewer, "backfill-2", job.Done); j.Progress.Total != 0 {
			t.Errorf("nobody is missing: %+v", j.Progress)
		}

		w.acc.Unfollow(w.acc.OpenID(3))
		w.acc.Unfollow(w.acc.OpenID(4))
		w.acc.Follow(w.acc.UnknownOpenID(1))
		// Its range begins before the other's events, as if both had been at work.
		w.backfill(viewer, "backfill-3", job.Spec{SinceCrawl: "backfill-1"}, &job.Crawl{After: 1})
		j := w.becomes(viewer, "backfill-3", job.Done)
		if c := j.Crawl; c.Left != 2 || c.Joined > 1 || j.Progress.Records != c.Left+c.Joined || j.Progress.Skipped != 0 {
			t.Errorf("who came and left: %+v, %+v", c, j.Progress)
		}
		if n := w.people()[w.acc.OpenID(3)]; n != 2 {
			t.Errorf("who left has %d records, want another one", n)
		}
		w.backfill(viewer, "backfill-4", job.Spec{SinceCrawl: "backfill-0"})
		if j := w.becomes(viewer, "backfill-4", job.Failed); !strings.Contains(j.Note, pipeline.ErrNoCrawl.Error()) {
			t.Errorf("a crawl that was never: %s", j.Note)
		}
	})
}

func TestBackfillWaitsForItsQuota(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Followers: 11_000, Limits: wechattest.Limits{UserGet: 1}}, func(w *world) {
		kv := w.bucket()
		viewer := w.viewer(kv)
		w.start(lifelike(), w.board(kv))
		w.backfill(viewer, "backfill-1", job.Spec{})
		w.until("it says what it waits for", func() bool {
			j, err := viewer.Job("backfill-1")
			return err == nil && strings.Contains(j.Note, "user/get")
		})
		time.Sleep(5 * time.Minute)
		if pages := w.pages(); pages > 3 {
			t.Errorf("%d calls of user/get while they are spent", pages)
		}
		w.acc.SetLimits(wechattest.Limits{})
		if p := w.becomes(viewer, "backfill-1", job.Done).Progress; p.Records != 11_000 {
			t.Errorf("%+v", p)
		}
		if _, err := viewer.ChangeJob(w.Context(), appid, "backfill-1", (*job.Job).Pause); !errors.Is(err, job.ErrOver) {
			t.Errorf("pause: %v", err)
		}
	})
}

func TestBackfillRestsWithItsAccount(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Followers: 500}, func(w *world) {
		kv := w.bucket()
		viewer := w.viewer(kv)
		lane := w.start(lifelike(), w.board(kv))
		var mend []func()
		for _, endpoint := range []string{"user/get", batchget} {
			mend = append(mend, w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: endpoint}, Do: wechattest.Action{Code: 48001}}))
		}
		w.backfill(viewer, "backfill-1", job.Spec{})
		says := func(word string) func() bool {
			return func() bool {
				j, err := viewer.Job("backfill-1")
				return err == nil && j.State == job.Running && strings.Contains(j.Note, word)
			}
		}
		w.until("it says that it is refused", says("48001"))
		dry := func(id, word string) {
			t.Helper()
			w.backfill(viewer, id, job.Spec{DryRun: true})
			asked := time.Now()
			if j := w.becomes(viewer, id, job.Failed); !strings.Contains(j.Note, word) || !j.Over() || time.Since(asked) > 10*time.Second {
				t.Errorf("a dry run after %v: %s", time.Since(asked), j.Note)
			}
		}
		dry("backfill-dry-1", "48001")
		time.Sleep(20 * time.Minute)
		if pages := w.pages(); pages < 2 || pages > 6 {
			t.Errorf("%d calls of user/get in 20 minutes", pages)
		}
		w.publish(1, w.openid)
		w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		w.until("it says so", says("on hold"))
		dry("backfill-dry-2", "on hold")
		pages := w.pages()
		time.Sleep(20 * time.Minute)
		if n := w.pages() - pages; n > 0 {
			t.Errorf("%d calls of user/get while the account is on hold", n)
		}
		for _, m := range mend {
			m()
		}
		if p := w.becomes(viewer, "backfill-1", job.Done).Progress; p.Records != 500 {
			t.Errorf("%+v", p)
		}
	})
}

const crawlStream = "WX_CRAWLS"
