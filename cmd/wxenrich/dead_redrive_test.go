package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// TestDeadRedrive lets events die, mends the cause of some, and redrives those.
func TestDeadRedrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	w.run(t, "", "dead", "redrive", "--all").want(t, exitFailed, "", "there is no bucket WX_STATE")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	const n = 6
	for i := range 3 * n {
		body := []string{`{"user":"` + w.account.OpenID(i/6) + `"}`, "short", w.account.OpenID(i)}[i%3]
		if _, err := js.Publish(t.Context(), "wx.events."+testAppID+".subscribe", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, n)
	for deadline := time.Now().Add(everything); ; time.Sleep(5 * time.Millisecond) {
		if s, err := js.Stream(t.Context(), "WX_DEAD"); err == nil && s.CachedInfo().State.Msgs == 2*n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there are no dead letters")
		}
	}
	w.run(t, "", "audit").want(t, 0, "the law holds", "")
	if code := service.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	w.run(t, "", "dead", "redrive").want(t, exitUsage, "", "which letters?")
	w.run(t, "", "dead", "redrive", "--all", "--max-hops", "0").want(t, exitUsage, "", "want 1 or more")
	w.run(t, "", "dead", "redrive", "--reason", "crashed").want(t, exitNotFound, "", "there is no such dead letter")
	w.run(t, "", "dead", "redrive", "--reason", "undecodable", "--dry-run", "--json").want(t, 0, `"letters":6,"left":0,"again":6,"dying":6,"openids":0,"calls":0`, "")
	w.environ = append(w.environ, "WXENRICH_INPUT_FIELDS=openid=user")
	w.run(t, "", "dead", "redrive", "--reason", "undecodable", "--dry-run", "--json").want(t, 0, `"letters":6,"left":0,"again":6,"openids":3,"calls":1`, "")
	w.run(t, "", "dead", "redrive", "--all", "--dry-run").want(t, 0, "die again at once  6\nopenids            3", "")

	w.redriveAtOnce(t)

	service = w.background(t, "run")
	service.out.waitFor("lane is running")
	calls := w.account.Stats().Calls["user/info/batchget"]
	w.run(t, "", "dead", "redrive", "--reason", "undecodable").want(t, 0, "is done: 6 records", "redrive-")
	if made := w.account.Stats().Calls["user/info/batchget"] - calls; made != 1 {
		t.Errorf("%d calls, 1 was priced", made)
	}
	w.settle(t, 2*n)
	w.run(t, "", "dead", "list", "--json").want(t, 0, `"total":6`, "")
	w.run(t, "", "audit", "--doubles").want(t, 0, "the law holds", "")
	w.run(t, "", "dead", "redrive", "--reason", "undecodable").want(t, exitNotFound, "", "there is no such dead letter")

	// What is not mended dies again, and says what of.
	r := w.run(t, "", "dead", "redrive", "--reason", "invalid_openid", "--each", "--json")
	r.want(t, 0, "", "redrive-")
	again := 0
	for line := range strings.Lines(r.out) {
		var x struct {
			Letter, Seq uint64
			Result      string
			Reason      events.Reason
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil || x.Result != "dead_letter" || x.Reason != events.InvalidOpenID || x.Seq <= x.Letter {
			t.Errorf("%s: %v", line, err)
		}
		again++
	}
	if again != n {
		t.Errorf("%d outcomes:\n%s", again, r.out)
	}
	first := ""
	if lines := w.run(t, "", "dead", "list", "--each", "--json", "--limit", "1").out; lines != "" {
		var l struct{ Seq, Hop int }
		if err := json.Unmarshal([]byte(lines), &l); err != nil || l.Hop != 1 {
			t.Errorf("%s: %v", lines, err)
		}
		first = fmt.Sprint(l.Seq)
	}
	w.run(t, "", "dead", "show", first).want(t, 0, "redrives     1", "")
	w.run(t, "", "dead", "redrive", first, "--each").want(t, 0, "dead letter  WX_DEAD ", "")
	w.run(t, "", "dead", "redrive", "--all", "--max-hops", "1").want(t, exitNotFound, "", "none of the 6 letters can be tried again")
	w.run(t, "", "audit").want(t, 0, "the law holds", "")

	// What is purged is not missed.
	r = w.run(t, "", "dead", "list", "--each", "--json", "--reason", "invalid_openid", "--limit", "1")
	var doomed struct{ Seq int }
	if err := json.Unmarshal([]byte(r.out), &doomed); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "dead", "purge", fmt.Sprint(doomed.Seq), "--yes").want(t, 0, "removed 1 dead letters", "")
	w.run(t, "", "audit", "--json").want(t, 0, `"dead_letters":5,"purged":1,`, "")
	w.run(t, "", "audit").want(t, 0, "18 events = 12 records + 5 dead letters + 1 purged: the law holds", "")

	// One that waits is not begun twice, and goes on.
	if code := service.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.run(t, "", "dead", "redrive", "--all", "--detach").want(t, 0, "wxenrich jobs show redrive-", "")
	w.run(t, "", "dead", "redrive", "--reason", "invalid_openid").want(t, exitFailed, "", "is not finished (pending)\nhint: wxenrich jobs resume redrive-")
	service = w.background(t, "run")
	w.run(t, "", "dead", "redrive", "--all").want(t, 0, "is done: 0 records, 5 dead letters", "going on with redrive-")
	if code := service.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestDeadRedriveWhereNothingCanBeRemoved refuses before anything is answered.
// redriveAtOnce begins several redrives in the same moment, as cron does on two
// machines: a letter in two hands would be answered twice.
func (w *world) redriveAtOnce(t *testing.T) {
	t.Helper()
	results := make([]result, 4)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			results[i] = w.run(t, "", "dead", "redrive", "--reason", []string{"undecodable", "undecodable,rejected"}[i%2], "--detach", "--json")
		})
	}
	all.Wait()
	kv, err := w.nats.JetStream().KeyValue(t.Context(), "WX_STATE")
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := kv.ListKeysFiltered(t.Context(), "job."+testAppID+".*")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range jobs.Keys() {
		keys = append(keys, key)
	}
	if len(keys) != 1 {
		t.Errorf("%q were begun, want one", keys)
	}
	for _, key := range keys {
		w.run(t, "", "jobs", "cancel", key[strings.LastIndexByte(key, '.')+1:]).want(t, 0, "", "")
	}
	for _, r := range results {
		if r.code != 0 && !strings.Contains(r.err, "in this very moment") && !strings.Contains(r.err, "is not finished") {
			t.Errorf("exit code %d: %s", r.code, r.err)
		}
	}
}

func TestDeadRedriveWhereNothingCanBeRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}, DenyDelete: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), w.letter(1, events.TooLarge, 0, w.account.OpenID(0)).Msg("wx.dead."+testAppID+".too_large")); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "dead", "redrive", "1").want(t, exitFailed, "", "stream WX_DEAD denies the removal of messages")
	w.run(t, "", "jobs", "list").want(t, 0, "", "there are none")
	w.run(t, "", "dead", "purge", "1", "--yes").want(t, exitFailed, "", "after 0 were removed")
}
