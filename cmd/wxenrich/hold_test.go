package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// settle waits until the output holds n records.
func (w *world) settle(t *testing.T, n uint64) {
	t.Helper()
	js := w.nats.JetStream()
	for deadline := time.Now().Add(everything); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if s, err := js.Stream(t.Context(), "WX_PROFILES"); err == nil && s.CachedInfo().State.Msgs == n {
			return
		}
	}
	t.Fatalf("there are no %d records", n)
}

func TestHoldAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	service := []*background{w.background(t, "run"), w.background(t, "run")}
	for _, b := range service {
		b.out.waitFor("lane is running")
	}
	w.run(t, "", "resume").want(t, exitNotFound, "", "was not on hold")
	w.run(t, "", "probe").want(t, exitNotFound, "", "is not on hold")
	w.run(t, "", "hold", "--why", "moving house").want(t, 0, `on hold until "wxenrich resume`, "")
	for _, b := range service {
		b.out.waitFor("moving house")
	}
	w.run(t, "", "probe").want(t, exitFailed, "", "wxenrich resume --appid "+testAppID)
	w.run(t, "", "probe", "--json").want(t, exitFailed, `"held":true`, "stays on hold")
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	w.run(t, "", "resume").want(t, 0, "manual: moving house", "")
	w.settle(t, 2)
	w.run(t, "", "hold", "--json").want(t, 0, `{"appid":"`+testAppID+`","held":true}`, "")
	w.run(t, "", "resume", "--json").want(t, 0, `"held":false,"holds":[{`, "")
	w.run(t, "", "hold", "--for", "1s").want(t, 0, "on hold until 20", "")
	w.run(t, "", "publish", w.account.OpenID(2)).want(t, 0, "", "")
	w.settle(t, 3)
	w.run(t, "", "hold", "--for", "-1s").want(t, exitUsage, "", "want more than 0")
	w.run(t, "", "hold", "--for", "0s").want(t, exitUsage, "", "want more than 0")
	for _, command := range []string{"hold", "resume", "probe", "backfill"} {
		w.run(t, "", command, "--appid", "other").want(t, exitUsage, "", "account other is not configured, and no replica has left a trace of it\nhint: the configuration has "+testAppID)
	}
	elsewhere := w.environ
	w.environ = []string{"WXENRICH_NATS_URL=" + w.nats.URL()} // without any account
	w.run(t, "", "hold", "--appid", testAppID).want(t, 0, "is on hold", "")
	w.run(t, "", "hold", "--appid", "other").want(t, exitUsage, "", "no replica has left a trace of it")
	w.run(t, "", "replay", "--appid", "other", "--since", "1h", "--dry-run").want(t, exitUsage, "", "no replica has left a trace of it")
	w.run(t, "", "dead", "redrive", "--appid", "other", "--all").want(t, exitUsage, "", "no replica has left a trace of it")
	w.environ = elsewhere
	for _, b := range service {
		if code := b.end(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// noted waits until a hold is written down, which is after the log says it.
func (w *world) noted(t *testing.T) {
	t.Helper()
	kv, err := w.nats.JetStream().KeyValue(t.Context(), "WX_STATE")
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := kv.Get(t.Context(), "hold."+testAppID)
		if err == nil {
			return
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestMendedSecretFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	dir := t.TempDir()
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "wxenrich.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "wrong\n")
	write(config, fmt.Sprintf("nats: {url: %q}\nhttp: {listen: \"\"}\naccounts: [{appid: %s, secret_file: %q, api: %q}]\n", w.nats.URL(), testAppID, secret, w.api))
	w.environ = []string{"WXENRICH_CONFIG=" + config}
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
	service.out.waitFor("lane is on hold")
	w.noted(t)
	w.run(t, "", "probe").want(t, exitFailed, "", "stays on hold: operator (errcode 40")
	write(secret, testSecret+"\n")
	began := time.Now()
	w.settle(t, 1)
	t.Logf("answered %v after the file was mended", time.Since(began))
	service.end()
}

func TestHoldWithoutABucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "resume").want(t, exitFailed, "", "there is no bucket WX_STATE")
	w.environ = append(w.environ, "WXENRICH_STATE_BUCKET=")
	w.run(t, "", "resume").want(t, exitUsage, "", "state.bucket is empty")
}

func TestProbeAfterTheQuotaIsRaised(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	w.account.SetLimits(wechattest.Limits{UserInfo: -1})
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
	service.out.waitFor("daily_quota")
	w.noted(t)
	w.run(t, "", "probe").want(t, exitFailed, "", "errcode 45009")
	w.account.SetLimits(wechattest.Limits{})
	r := w.run(t, "", "probe")
	r.want(t, 0, "is answered again", "")
	if strings.Contains(r.out, w.account.OpenID(0)) {
		t.Error("an openid is shown")
	}
	w.settle(t, 1)
	service.end()
}
