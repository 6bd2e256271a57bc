package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// One account's events are in a stream that somebody else made, on a subject
// that does not name it, in a form of theirs; the other's are as usual.
func TestAnAccountsOwnInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const other = "wxfedcba9876543210"
	path := filepath.Join(t.TempDir(), "wxenrich.yaml")
	write(t, path, `accounts:
  - appid: `+testAppID+`
    secret_env: WX_SECRET
    api: `+w.api+`
    input: {stream: CRM, subject: crm.customer.followed, durable: enrich, fields: {openid: data.openId, id: data.no}}
  - {appid: `+other+`, secret_env: WX_SECRET, api: `+w.api+`}
`)
	w.environ = append(w.environ, "WXENRICH_CONFIG="+path, "WXENRICH_NATS_URL="+w.nats.URL(), "WXENRICH_HTTP_LISTEN=", "WXENRICH_OUTPUT_FORMAT=json")
	js := w.nats.JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CRM", Subjects: []string{"crm.>"}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	run := w.background(t, "run")
	run.out.waitFor("lane is running\" appid=" + testAppID)
	id := w.account.OpenID(1)
	if _, err := js.Publish(t.Context(), "crm.customer.followed", []byte(`{"event":"followed","data":{"no":"c-17","openId":"`+id+`"}}`)); err != nil {
		t.Fatal(err)
	}
	w.settle(t, 1)
	r := w.run(t, "", "tail", "--appid", testAppID, "--since", "all", "--limit", "1", "--json")
	for _, text := range []string{`"id":"c-17"`, `"openid":"` + id + `"`, `"stream":"CRM"`, `"appid":"` + testAppID + `"`} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %s in %s%s", text, r.out, r.err)
		}
	}
	c, err := js.Consumer(t.Context(), "CRM", "enrich")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.CachedInfo().Config.FilterSubjects; len(got)+len(c.CachedInfo().Config.FilterSubject) == 0 {
		t.Errorf("the durable takes all of the stream: %v", got)
	}
	w.run(t, "", "audit", "--appid", testAppID).want(t, 0, "the law holds", "")
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
