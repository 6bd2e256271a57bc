package main

import (
	"testing"

	"github.com/wxenrich/wxenrich/pipeline"
)

func TestBackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	w.settle(t, 2)
	w.run(t, "", "backfill", "--dry-run", "--detach").want(t, exitUsage, "", "leave out --detach")
	w.run(t, "", "backfill", "--since-crawl", "last").want(t, exitNotFound, "", "no such backfill")
	r := w.run(t, "", "backfill", "--dry-run")
	r.want(t, 0, "by WeChat's count", "")
	w.run(t, "", "backfill", "--dry-run", "--json").want(t, 0, `"pages":2`, "")
	page, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil || page.CachedInfo().State.Msgs != 2 {
		t.Fatalf("a dry run has made events: %v", err)
	}
	r = w.run(t, "", "backfill", "--missing")
	r.want(t, 0, "is done: ", "the followers of "+testAppID)
	list, err := js.Stream(t.Context(), pipeline.CrawlStream)
	if err != nil || list.CachedInfo().State.Msgs != 2 {
		t.Errorf("the list of followers: %v", err)
	}
	w.account.Unfollow(w.account.OpenID(0))
	w.run(t, "", "backfill", "--since-crawl", "last").want(t, 0, "1 records, 0 came, 1 left", "")
	w.run(t, "", "backfill", "--missing", "--new").want(t, 0, "0 records", "")
	w.run(t, "", "backfill", "list", "--all").want(t, 0, "done", "")
	w.environ = append(w.environ, "WXENRICH_INPUT_SUBJECT=elsewhere")
	w.run(t, "", "backfill").want(t, exitUsage, "", "has no {appid}")
	service.end()
}
