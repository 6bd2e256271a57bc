package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

// decoded reads what was published the way the pipeline would.
func decoded(t *testing.T, w *world) (types, openids []string) {
	t.Helper()
	d := events.Decoder{AppID: testAppID}
	for _, m := range stored(t, w.nats.JetStream()) {
		e, err := d.Decode(events.Message{Source: events.Source{Stream: "WX_EVENTS", Subject: m.Subject()}, Header: m.Headers(), Data: m.Data()})
		if err != nil {
			t.Fatal(err)
		}
		types, openids = append(types, e.Type), append(openids, e.OpenID)
	}
	return types, openids
}

// What is published is for this account's own service to read, wherever that looks.
func TestPublishIntoMappedFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	w.environ = append(w.environ, "WXENRICH_INPUT_FIELDS=openid=data.openId,type=data.what")
	ids := []string{w.account.OpenID(0), w.account.OpenID(1)}
	w.run(t, "", "publish", "--json", "--type", "SCAN", ids[0]).want(t, 0, "published 1", "")
	w.run(t, "", "publish", "--msgpack", "--type", "SCAN", ids[1]).want(t, 0, "published 1", "")
	d := events.Decoder{AppID: testAppID, Fields: map[string]string{"openid": "data.openId", "type": "data.what"}}
	for i, m := range stored(t, w.nats.JetStream()) {
		e, err := d.Decode(events.Message{Source: events.Source{Stream: "WX_EVENTS", Subject: m.Subject()}, Header: m.Headers(), Data: m.Data()})
		if err != nil || e.OpenID != ids[i] || e.Type != "SCAN" {
			t.Errorf("%s is read as %+v, %v", m.Data(), e, err)
		}
	}
}

func TestPublishForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	ids := []string{w.account.OpenID(0), w.account.OpenID(1), w.account.OpenID(2)}
	w.run(t, "", "publish", ids[0]).want(t, 0, "published 1 events to wx.events."+testAppID+".subscribe\n", "")
	w.run(t, ids[1]+"\n", "publish", "--json").want(t, 0, "published 1", "")
	w.run(t, "# comment\n\n "+ids[2]+" # why\r\n", "publish", "--file", "-", "--msgpack", "--type", "unsubscribe").want(t, 0, "published 1", "")
	types, openids := decoded(t, w)
	if d := cmp.Diff(ids, openids); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"subscribe", "subscribe", "unsubscribe"}, types); d != "" {
		t.Error(d)
	}
	for _, m := range stored(t, w.nats.JetStream()) {
		if m.Headers().Get(events.HeaderMsgID) == "" || m.Headers().Get(events.HeaderContentType) == "" {
			t.Errorf("headers %v", m.Headers())
		}
	}
}

// A run that was cut off goes on where it says, and what the stream has already is
// not stored twice.
func TestPublishGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	ids := []string{w.account.OpenID(0), w.account.OpenID(1), w.account.OpenID(2)}
	w.run(t, strings.Join(ids[:2], "\n"), "publish").want(t, 0, "published 2", "")
	first := stored(t, w.nats.JetStream())[0].Headers().Get(events.HeaderMsgID)
	on := strings.TrimSuffix(first, "1") + "2"
	w.run(t, strings.Join(ids, "\n"), "publish", "--go-on", on).want(t, 0, "published 2", "")
	if _, openids := decoded(t, w); cmp.Diff(ids, openids) != "" {
		t.Errorf("%v, want %v", openids, ids)
	}
	for _, wrong := range []string{"x", "-3", "x-0"} {
		w.run(t, ids[0], "publish", "--go-on", wrong).want(t, exitUsage, "", "want what a run that was cut off has said")
	}
}

// Every line that is no openid is told, also one that says the same as another,
// and one that is as bad as one of the part that is done.
func TestPublishTellsEachBadLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	in := strings.Join([]string{w.account.OpenID(0), "bad line", w.account.OpenID(1), "bad line", "bad line"}, "\n")
	r := w.run(t, in, "publish")
	for _, line := range []string{"line 2: ", "line 4: ", "line 5: ", "wxenrich: 3 lines are not openids, 2 were published"} {
		r.want(t, 1, "", line)
	}
	if strings.Contains(r.out, "repeated") {
		t.Errorf("no openid is there twice: %s", r.out)
	}
	run, _, _ := strings.Cut(stored(t, w.nats.JetStream())[0].Headers().Get(events.HeaderMsgID), "-")
	w.run(t, in, "publish", "--go-on", run+"-4").want(t, 1, "", "2 lines are not openids, 0 were published")
}

func TestPublishMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	var b strings.Builder
	var want []string
	for i := range 3 * inFlight {
		want = append(want, fmt.Sprintf("oTEST-%022d", i))
		fmt.Fprintln(&b, want[i])
	}
	fmt.Fprintf(&b, "%s\nnot an openid\nneither\n", want[0])
	path := filepath.Join(t.TempDir(), "openids")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := w.run(t, "", "publish", "--file", path)
	r.want(t, 1, fmt.Sprintf("published %d events", len(want)), fmt.Sprintf("line %d: not an openid", len(want)+2))
	r.want(t, 1, ", 1 repeated openids skipped", fmt.Sprintf("wxenrich: 2 lines are not openids, %d were published", len(want)))
	if _, openids := decoded(t, w); cmp.Diff(want, openids) != "" {
		t.Errorf("%d events, or another order", len(openids))
	}
	w.run(t, "", "publish", "--dedupe=false", want[0], want[0]).want(t, 0, "published 2 events", "")
	w.run(t, "\n\n", "publish").want(t, 3, "", "nothing to publish")
}

func TestPublishChoosesTheSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_INPUT_SUBJECT=wx.events.{appid}.subscribe,wx.events.{appid}.SCAN")
	id := w.account.OpenID(0)
	w.run(t, "", "publish", id).want(t, 0, testAppID+".subscribe", "")
	w.run(t, "", "publish", "--type", "SCAN", id).want(t, 0, testAppID+".SCAN", "")
	other := []string{"publish", "--appid", "wxother", "--subject", "wx.events.wxother.x", id}
	w.run(t, "", other...).want(t, exitUsage, "", "hint: the configuration has "+testAppID+"\nhint: --any-account publishes all the same")
	w.run(t, "", append(other, "--any-account")...).want(t, 0, "wx.events.wxother.x", "")
	// A producer's machine has no configuration, and no right to ask who is served.
	r := wxenrich(t, nil, "", append(other, "--server", w.nats.URL())...)
	if r.want(t, 0, "wx.events.wxother.x", ""); r.err != "" && strings.Contains(r.err, "note") {
		t.Errorf("stderr:\n%s", r.err)
	}
	var subjects []string
	for _, m := range stored(t, js) {
		subjects = append(subjects, m.Subject())
	}
	want := []string{"wx.events." + testAppID + ".subscribe", "wx.events." + testAppID + ".SCAN", "wx.events.wxother.x", "wx.events.wxother.x"}
	if d := cmp.Diff(want, subjects); d != "" {
		t.Error(d)
	}
}

func TestPublishCreatesNoStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "publish", w.account.OpenID(0)).want(t, 1, "",
		"wxenrich: no stream stores wx.events."+testAppID+".subscribe\n"+
			"hint: \"wxenrich run\" creates it when it starts, with \"manage: create\"\n"+
			"hint: or: nats stream add WX_EVENTS --subjects \"wx.events.>\" --defaults\n")
}

func TestPublishAsksATerminalForOpenids(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := execute(t.Context(), []string{"publish", "--appid", "wx1"}, streams{in: strings.NewReader(""), out: &out, err: &errs, inTTY: true})
	if code != 2 || !strings.Contains(errs.String(), "no openids") {
		t.Errorf("%d %s", code, errs.String())
	}
}

func TestPublishFromTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	dir := t.TempDir()
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = w.account.OpenID(i)
	}
	input, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text, args string
		want             []string
		code             int
		stderr           string
	}{
		{"a.csv", "\ufeffname,OpenID\n\"张\n三\"," + ids[0] + "\nx\n" + "y,short\n", "", ids[:1], 1, "line 4: 1 columns, want 2\nline 5: not an openid"},
		{"b.csv", ids[0] + ",a\n" + ids[1] + ",b\n" + ids[0] + ",c\n", "--column 1", ids[:2], 0, ""},
		{"c.tsv", "id\twx\n1\t" + ids[2] + "\n", "--column wx", ids[2:3], 0, ""},
		{"k.csv", "openid,name\n" + ids[0] + ",\"a\n" + ids[1] + ",b\n" + ids[2] + ",\"c \"d\" e\"\n", "", ids[1:3], 1, "line 2: a quote opens here and is not closed\nwxenrich: 1 lines"},
		{"l.csv", "name,openid\n\"a\nb\",\"c\n" + "d," + ids[0] + "\n\"e\nf\"," + ids[1] + "\n", "", ids[:2], 1, "line 3: a quote opens here and is not closed\nwxenrich: 1 lines"},
		{"m.csv", "openid\n" + ids[0] + "\n\"x" + strings.Repeat("\n"+ids[1], 2*mostLines), "", ids[:2], 1, "line 3: a quote opens here and is not closed\nwxenrich: 1 lines"},
		{"n.csv", "\"openid\n" + ids[0] + "\n", "", nil, 2, "the first line: a quote opens here and is not closed"},
		{"d.jsonl", `{"event":{"openid":"` + ids[0] + `"}}` + "\n\nnope\n" + `{"event":{"openid":7}}` + "\n", "--column event.openid", ids[:1], 1, "line 3: not JSON\nline 4: no text at \"event.openid\""},
		{"e.dat", `{"openid":"` + ids[3] + `"}`, "--from ndjson", ids[3:], 0, ""},
		{"f.csv", "name,nick\na,b\n", "", nil, 2, "the first line has no column \"openid\": name, nick"},
		{"g.txt", ids[0], "--column openid", nil, 2, "lines have none"},
		{"h.txt", ids[0], "--from xml", nil, 2, "want lines, csv, tsv or ndjson"},
		{"i.txt", strings.Repeat("x", maxLine+1), "", nil, 1, "longer than 1 MiB"},
	} {
		if err := input.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.name)
		write(t, path, c.text)
		w.run(t, "", append([]string{"publish", "--file", path}, strings.Fields(c.args)...)...).want(t, c.code, "", c.stderr)
		if _, openids := decoded(t, w); cmp.Diff(c.want, openids) != "" {
			t.Errorf("%s: %v, want %v", c.name, openids, c.want)
		}
	}
	w.run(t, "", "publish", "--column", "1", "--from", "csv", ids[0]).want(t, 2, "", "not for arguments")
}

// Of the first event, too, it is known whether it is stored when somebody who has
// pressed Ctrl-C is told.
func TestInterruptedFirstPublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nc, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: w.nats.URL()}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	q, err := newPublishQueue(nc, "slow", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	if _, err := w.nats.Connect().Subscribe("slow", func(m *nats.Msg) { // as a stream does, but for the time it takes
		interrupt()
		_ = m.Respond([]byte(`{"stream":"S","seq":1}`))
	}); err != nil {
		t.Fatal(err)
	}
	for q.acked == 0 && ctx.Err() == nil { // before the server knows of the subscription nobody is there
		err = q.publish(ctx, 1, nil, "text/plain")
	}
	if err != nil || q.acked != 1 || ctx.Err() == nil {
		t.Errorf("%d are known to be stored, %v", q.acked, err)
	}
}
