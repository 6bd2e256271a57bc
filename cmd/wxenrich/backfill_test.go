package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestBackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "hold", "--why", "rotation").want(t, 0, "", "")
	w.run(t, "", "backfill", "--dry-run").want(t, exitFailed, "", "nobody can ask how many follow "+testAppID+", and no earlier backfill has: the account is on hold: manual: rotation")
	w.run(t, "", "resume").want(t, 0, "", "")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	w.settle(t, 2)
	w.run(t, "", "backfill", "--dry-run", "--detach").want(t, exitUsage, "", "leave out --detach")
	w.run(t, "", "backfill", "--since-crawl", "last").want(t, exitNotFound, "", "no such backfill")
	r := w.run(t, "", "backfill", "--dry-run")
	r.want(t, 0, "by WeChat's count", "")
	w.run(t, "", "backfill", "list").want(t, 0, "", "there are none")
	w.run(t, "", "backfill", "list", "--all").want(t, 0, "dry run, done", "")
	w.run(t, "", "backfill", "--dry-run", "--json").want(t, 0, `"pages":2`, "")
	page, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil || page.CachedInfo().State.Msgs != 2 {
		t.Fatalf("a dry run has made events: %v", err)
	}
	r = w.run(t, "", "backfill", "--missing")
	r.want(t, 0, "is done: ", "the followers of "+testAppID)
	list, err := js.Stream(t.Context(), "WX_CRAWLS")
	if err != nil || list.CachedInfo().State.Msgs != 2 {
		t.Errorf("the list of followers: %v", err)
	}
	w.account.Unfollow(w.account.OpenID(0))
	var price struct{ Followers, Calls int64 }
	if err := json.Unmarshal([]byte(w.run(t, "", "backfill", "--since-crawl", "last", "--dry-run", "--json").out), &price); err != nil {
		t.Fatal(err)
	}
	// All who follow now may have come, and all who followed then may have left.
	if most := (2*price.Followers + 1 + 99) / 100; price.Followers == 0 || price.Calls != most {
		t.Errorf("%+v, want %d calls at most", price, most)
	}
	w.run(t, "", "backfill", "--since-crawl", "last").want(t, 0, "1 records, 0 came, 1 left", "")
	w.run(t, "", "backfill", "--missing", "--new").want(t, exitNotFound, "0 records", "there was nobody to make an event of")
	w.run(t, "", "backfill", "list", "--all").want(t, 0, "done", "")
	w.run(t, "", cobra.ShellCompRequestCmd, "backfill", "--since-crawl", "").want(t, 0, "last\nbackfill-", "")
	w.run(t, "", cobra.ShellCompRequestCmd, "jobs", "show", "").want(t, 0, "backfill-", "")
	if r := w.run(t, "", cobra.ShellCompRequestCmd, "jobs", "resume", ""); r.code != 0 || strings.Contains(r.out, "backfill-") {
		t.Errorf("of jobs that are over it offers %s", r.out)
	}
	w.run(t, "", "audit").want(t, 0, testAppID+", backfill", "")
	var report audit.Report
	if err := json.Unmarshal([]byte(w.run(t, "", "audit", "--json").out), &report); err != nil {
		t.Fatal(err)
	}
	if n := len(report.Lanes); n != 2 {
		t.Fatalf("%d lanes in the audit, want the live one and the backfills", n)
	}
	if b := report.Lanes[1]; b.In == 0 || b.Records != b.In || b.Pending != 0 || !report.Holds() {
		t.Errorf("the audit of the backfills: %+v", b)
	}
	profiles, err := js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	if err := profiles.DeleteMsg(t.Context(), profiles.CachedInfo().State.LastSeq); err != nil { // of who left
		t.Fatal(err)
	}
	w.run(t, "", "audit").want(t, exitBroken, "", "")
	// Nobody can ask how many follow: the price is by the last count, and says why.
	refuse := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/get"}, Do: wechattest.Action{Code: 45009}})
	w.run(t, "", "backfill", "--dry-run").want(t, 0, "estimate   by that count, which may have changed since: ", "")
	w.run(t, "", "backfill", "--dry-run", "--json").want(t, 0, "errcode 45009", "")
	refuse()
	w.environ = append(w.environ, "WXENRICH_INPUT_SUBJECT=elsewhere")
	w.run(t, "", "backfill").want(t, exitUsage, "", "has no {appid}")
	w.environ = w.environ[:len(w.environ)-1]
	w.run(t, "", "hold").want(t, 0, "", "")
	w.run(t, "", "backfill", "--dry-run").want(t, 0, "on hold    manual, until somebody ends it", "")
	w.run(t, "", "resume").want(t, 0, "", "")
	service.end()
	w.run(t, "", "backfill", "--dry-run").want(t, 0, "no replica is there with account "+testAppID, "")
	w.run(t, "", "jobs", "list", "--all").want(t, 0, "dry run, cancelled", "")
}
