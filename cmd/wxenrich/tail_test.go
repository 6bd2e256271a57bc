package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

func TestTailPrintsBothEncodings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	publishRecord(t, js, events.JSON, 1, "oAAAAAAAAAAAAAAAAAAAAAAAAAA1", "张三\x1b[2J")
	publishRecord(t, js, events.Msgpack, 2, "oAAAAAAAAAAAAAAAAAAAAAAAAAA2", "李四")
	r := w.run(t, "", "tail", "--since", "all", "--limit", "2")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.code != 0 || len(lines) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, want := range [][]string{
		{"following", "oAAAAAAAAAAAAAAAAAAAAAAAAAA1", "u-oAAAAAAAAAAAAAAAAAAAAAAAAAA1", "QR_CODE shop", "1,2", "张三\ufffd[2J"},
		{"following", "oAAAAAAAAAAAAAAAAAAAAAAAAAA2", "李四"},
	} {
		for _, s := range want {
			if !strings.Contains(lines[i], s) {
				t.Errorf("no %q in %s", s, lines[i])
			}
		}
	}
	r = w.run(t, "", "tail", "--since", "1h", "--limit", "1", "--json", "--openid", "oAAAAAAAAAAAAAAAAAAAAAAAAAA2")
	var rec struct {
		OpenID string
		User   struct{ Remark string }
	}
	if err := json.Unmarshal([]byte(r.out), &rec); err != nil || rec.OpenID != "oAAAAAAAAAAAAAAAAAAAAAAAAAA2" || rec.User.Remark != "李四" {
		t.Errorf("%+v: %v", r, err)
	}
}

func TestTailFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	publishRecord(t, js, events.JSON, 1, "oAAAAAAAAAAAAAAAAAAAAAAAAAA1", "before")
	tail := w.background(t, "tail", "--appid", testAppID)
	// New records only, and nobody says when it listens: publish until one comes.
	seen := make(chan string)
	go func() { seen <- tail.out.waitFor("after") }()
	for seq := uint64(2); ; seq++ {
		publishRecord(t, js, events.Msgpack, seq, "oAAAAAAAAAAAAAAAAAAAAAAAAAA2", "after")
		select {
		case out := <-seen:
			if strings.Contains(out, "before") {
				t.Error("an old record is printed")
			}
			if code := tail.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			return
		default:
		}
	}
}

func TestTailSkipsWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "wx.profiles." + testAppID, Data: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	publishRecord(t, js, events.JSON, 1, "oAAAAAAAAAAAAAAAAAAAAAAAAAA1", "张三")
	w.run(t, "", "tail", "--since", "all", "--limit", "1").want(t, 0, "张三", "skipped a message on wx.profiles."+testAppID)
}

func TestTailWithoutAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "tail").want(t, 1, "", "wxenrich: there is no stream WX_PROFILES\nhint: ")
	w.environ = append(w.environ, "WXENRICH_OUTPUT_STREAM=OUT_{appid}")
	w.run(t, "", "tail").want(t, 1, "", "wxenrich: there is no stream OUT_"+testAppID)
}

func TestTailFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags          tailFlags
		template, want string
	}{
		{tailFlags{}, "wx.profiles.{appid}", "wx.profiles.*"},
		{tailFlags{appid: "wx1"}, "wx.profiles.{appid}", "wx.profiles.wx1"},
		{tailFlags{openid: "o1"}, "p.{appid}.{openid}", "p.*.o1"},
		{tailFlags{appid: "wx1", openid: "o1"}, "p.{appid}.{openid}.x-{type}", "p.wx1.o1.*"},
		{tailFlags{appid: "wx1"}, "profiles", "profiles"},
	} {
		if got := c.flags.filter(c.template); got != c.want {
			t.Errorf("%+v: %s, want %s", c.flags, got, c.want)
		}
	}
}
