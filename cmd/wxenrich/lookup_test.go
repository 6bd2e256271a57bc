package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestLookupOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.account.OpenID(0)
	r := w.run(t, "", "lookup", id)
	r.want(t, 0, "openid    "+id+"\nstatus    following\n", "")
	var row struct{ UnionID string }
	raw, _ := w.account.User(id)
	if err := json.Unmarshal(raw, &row); err != nil {
		t.Fatal(err)
	}
	r.want(t, 0, "unionid   "+row.UnionID, "")
}

func TestLookupSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account.Unfollow(w.account.OpenID(1))
	r := w.run(t, "", "lookup", w.account.OpenID(1), w.account.OpenID(0), w.account.OpenID(1))
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "status") ||
		!strings.HasPrefix(lines[1], "not_following  "+w.account.OpenID(1)) || !strings.HasPrefix(lines[2], "following      "+w.account.OpenID(0)) {
		t.Errorf("%+v", r)
	}
}

// 250 openids are three calls, and the answer is in the order of the question.
func TestLookupInHundreds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	args := []string{"lookup", "--json"}
	for i := range 250 {
		args = append(args, w.account.OpenID(i))
	}
	r := w.run(t, "", args...)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.code != 0 || len(lines) != 250 {
		t.Fatalf("exit code %d, %d lines, %s", r.code, len(lines), r.err)
	}
	for i, line := range lines {
		var rec struct {
			OpenID string
			User   map[string]any
		}
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		raw, _ := w.account.User(w.account.OpenID(i))
		var want map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if rec.OpenID != w.account.OpenID(i) || fmt.Sprint(rec.User) != fmt.Sprint(want) {
			t.Fatalf("line %d: %s, want %s", i, line, raw)
		}
	}
	if n := w.account.Stats().Calls["user/info/batchget"]; n != 3 {
		t.Errorf("%d calls", n)
	}
}

func TestLookupSaysWhoIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.account.BadOpenID(0)
	r := w.run(t, "", "lookup", w.account.OpenID(0), bad, "short", w.account.OpenID(1))
	r.want(t, 0, w.account.OpenID(0), bad+": refused by WeChat: 40003 ")
	r.want(t, 0, w.account.OpenID(1), "short: not an openid: want 20 to 64")
}

func TestLookupFindsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "lookup", w.account.BadOpenID(0)).want(t, 3, "",
		"wxenrich: none of 1 openids was found\nhint: an openid is good for one account only: are these of "+testAppID+"?\n")
	w.run(t, "", "lookup", "x").want(t, 3, "", "wxenrich: none of 1 openids was found\n")
	if n := w.account.Stats().Calls["user/info/batchget"]; n != 1 {
		t.Errorf("%d calls: what is no openid costs none", n)
	}
}

func TestLookupExplainsFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault wechattest.Fault
		want  string
	}{
		"no permission": {wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Do: wechattest.Action{Code: 48001}}, "(permission): "},
		"quota":         {wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Do: wechattest.Action{Code: 45009}}, "(daily_quota): "},
		"address":       {wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"}, Do: wechattest.Action{Code: 40164, Message: "invalid ip 192.0.2.1"}}, "192.0.2.1"},
		"html":          {wechattest.Fault{Do: wechattest.Action{HTML: true}}, "hint: transient"},
		"gateway":       {wechattest.Fault{Do: wechattest.Action{Status: 502}}, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sim.Inject(c.fault)
			w.run(t, "", "lookup", w.account.OpenID(0)).want(t, 1, "", c.want)
		})
	}
}

func TestLookupRefreshesAStaleToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Times: 1, Do: wechattest.Action{Code: 42001}})
	w.run(t, "", "lookup", w.account.OpenID(0)).want(t, 0, "following", "")
}

func TestLookupWithoutAConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = []string{"S=" + testSecret}
	w.run(t, "", "lookup", "--appid", testAppID, "--secret-env", "S", "--api", w.api, w.account.OpenID(0)).want(t, 0, "following", "")
	w.run(t, "", "lookup", "--appid", testAppID, "--secret-env", "NONE", "--api", w.api, w.account.OpenID(0)).want(t, 1, "", "secret_env: the variable NONE is not set")
	w.environ = []string{"S=wrong"}
	w.run(t, "", "lookup", "--appid", testAppID, "--secret-env", "S", "--api", w.api, w.account.OpenID(0)).
		want(t, 1, "", "hint: app secret wrong (operator): compare the app secret")
}
