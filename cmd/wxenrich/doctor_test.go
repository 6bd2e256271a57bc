package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// served is a world in which the service has run once: all that it needs is
// there, and three records.
func served(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	b := w.background(t, "run")
	b.out.waitFor("lane is running")
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	w.settle(t, 2)
	if code := b.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return w
}

// holdings is what a server keeps: of each stream its last sequence and its
// durables. The watches of a service that has ended go when the server sees it.
func holdings(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var b strings.Builder
	list := js.ListStreams(t.Context())
	for s := range list.Info() {
		fmt.Fprintln(&b, s.Config.Name, s.State.LastSeq, s.State.Msgs, durables(t, js, s.Config.Name))
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func durables(t *testing.T, js jetstream.JetStream, stream string) (names []string) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	list := s.ListConsumers(t.Context())
	for c := range list.Info() {
		if c.Config.Durable != "" {
			names = append(names, c.Name)
		}
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// calls counts all calls to WeChat.
func calls(w *world) (n int) {
	for _, times := range w.account.Stats().Calls {
		n += times
	}
	return n
}

func TestDoctorFindsAllWell(t *testing.T) {
	t.Parallel()
	w := served(t)
	before, asked := holdings(t, w.nats.JetStream()), calls(w)
	r := w.run(t, "", "doctor")
	r.want(t, 0, "ok    NATS: nats-server 2.", "")
	for _, text := range []string{
		"ok    configuration: 1 accounts", "ok    JetStream: on, 4 streams", "ok    clock: ", "ok    permissions: the server denies",
		"ok    stream WX_EVENTS: fits", "note  stream WX_EVENTS: num_replicas is 1: a power cut", "ok    bucket WX_STATE",
		"ok    durable wxenrich-" + testAppID + " of stream WX_EVENTS: 0 events wait, 0 are in hand",
		"token and address are accepted", "quota 5,000,000 a day, ", " 0 warnings, 0 failed\n",
	} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
	if d := cmp.Diff(before, holdings(t, w.nats.JetStream())); d != "" {
		t.Errorf("it changed something: -before +after\n%s", d)
	}
	if n := calls(w) - asked; n > 2 {
		t.Errorf("%d calls to WeChat, want one for the token and one for the quota", n)
	}
}

func TestDoctorBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "", "doctor", "--json")
	r.want(t, 0, "", "")
	var got struct {
		OK     bool
		Checks []check
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	notes := 0
	for _, c := range got.Checks {
		if c.Verdict == told && strings.Contains(c.Said, `does not exist yet; "wxenrich run" makes it`) {
			notes++
		}
	}
	if !got.OK || notes != 4 {
		t.Errorf("%d things are yet to be made, want 3 streams and a bucket:\n%s", notes, r.out)
	}
	if h := holdings(t, w.nats.JetStream()); h != "" {
		t.Errorf("it made %s", h)
	}
	w.environ = append(w.environ, "WXENRICH_MANAGE=verify")
	w.run(t, "", "doctor").want(t, 1, "fail  stream WX_EVENTS: does not exist, and manage is verify", "wxenrich: 4 of ")
}

// Whoever may make nothing gets from the doctor each command that an
// administrator has to type; with them the service runs, jobs and all.
func TestDoctorNamesTheCommands(t *testing.T) {
	t.Parallel()
	for _, manage := range []string{"verify", "bind"} {
		w := newWorld(t)
		w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_MANAGE="+manage)
		const (
			kept    = " --storage file --retention limits --discard new --max-age 720h --max-bytes=-1 --dupe-window 10m --replicas 1 --compression s2 --allow-direct"
			durable = "wxenrich-" + testAppID
		)
		r := w.run(t, "", "doctor")
		for _, command := range []string{
			"nats stream add WX_EVENTS --subjects 'wx.events.>'" + kept + " --defaults",
			"nats stream add WX_PROFILES --subjects 'wx.profiles.>'" + kept + " --allow-batch --defaults",
			"nats stream add WX_DEAD --subjects 'wx.dead.>'" + kept + " --allow-batch --defaults",
			"nats stream add WX_CRAWLS --subjects 'wx.crawls.>'" + kept + " --defaults",
			"nats stream add WX_ERASED --subjects 'wx.erased.>'" + kept + " --defaults",
			"nats kv add WX_STATE --replicas 1",
			"nats stream add KV_WX_TOMBSTONES --subjects '$KV.WX_TOMBSTONES.>' --storage file --max-msgs-per-subject=64 --discard new --allow-rollup --allow-direct --replicas 1 --defaults",
			"nats consumer add WX_EVENTS " + durable + " --pull --filter wx.events." + testAppID +
				".subscribe --ack explicit --deliver all --wait 30s --max-deliver=-1 --max-pending 2800 --replay instant --defaults",
		} {
			if !strings.Contains(r.out, "      "+command+"\n") {
				t.Errorf("%s: no %q in\n%s", manage, command, r.out)
			}
		}
		w.run(t, "", "run").want(t, exitFailed, "", "hint: nats stream add WX_EVENTS --subjects 'wx.events.>'")
		js := w.nats.JetStream()
		for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
			c := (&events.StreamSpec{Name: name, Subjects: []string{subject}, AllowAtomic: name != "WX_EVENTS"}).Config()
			if _, err := js.CreateStream(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
			t.Fatal(err)
		}
		w.run(t, "", "run").want(t, exitUsage, "", "hint: nats consumer add WX_EVENTS "+durable)
		if _, err := js.CreateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy,
			FilterSubject: "wx.events." + testAppID + ".subscribe", MaxDeliver: -1, MaxAckPending: 2800}); err != nil {
			t.Fatal(err)
		}
		w.run(t, "", "doctor").want(t, 0, " 0 warnings, 0 failed\n", "")
		b := w.background(t, "run")
		if out := b.out.waitForAny("lane is running", "wxenrich: "); !strings.Contains(out, "lane is running") {
			t.Fatal(out)
		}
		w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
		w.settle(t, 1)
		w.run(t, "", "replay", "--from-seq", "1").want(t, 0, "is done: 1 records", "")
		if code := b.end(); code != 0 {
			t.Errorf("%s: exit code %d", manage, code)
		}
	}
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.nats.JetStream()
	for _, s := range []jetstream.StreamConfig{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, MaxAge: 24 * time.Hour, MaxConsumers: 5},
		{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Retention: jetstream.WorkQueuePolicy, MaxConsumers: 1},
		{Name: "WX_DEAD", Subjects: []string{"wx.dead.other.>"}},
	} {
		if _, err := js.CreateStream(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
	refuse := w.sim.Inject(wechattest.Fault{Do: wechattest.Action{Code: 40164}})
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(testSecret), 0o644); err != nil {
		t.Fatal(err)
	}
	w.environ = []string{"WXENRICH_NATS_URL=" + w.nats.URL(), "WXENRICH_ACCOUNTS_0_API=" + w.api,
		"WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_FILE=" + path}
	r := w.run(t, "", "doctor")
	r.want(t, 1, "", "checks failed")
	for _, text := range []string{
		"accounts[0].secret_file: ", "chmod 600 it",
		"warn  stream WX_EVENTS: max_age is 24h, want 96h or more: ", "      nats stream edit WX_EVENTS --max-age 720h\n",
		"warn  stream WX_EVENTS: max_consumers is 5, want ", "      nats stream edit WX_EVENTS --max-consumers 22, or ",
		"warn  stream WX_PROFILES: max_consumers is 1, want 20 or more: ", "      nats stream edit WX_PROFILES --max-consumers 20\n",
		"fail  stream WX_PROFILES: retention is workqueue, want limits: ",
		"fail  stream WX_DEAD: subjects is wx.dead.other.>, the configuration says ",
		"does not exist, and 1 events wait", "set input.start to all, new, or a time",
		"fail  account " + testAppID + ": this machine's address is refused", "errcode 40164",
	} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
	refuse()
	_, err := js.CreateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{Durable: "wxenrich-" + testAppID, MaxDeliver: 3, FilterSubject: "wx.events.*.subscribe"})
	if err != nil {
		t.Fatal(err)
	}
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "openapi/quota/get"}, Do: wechattest.Action{Code: 76021}})
	r = w.run(t, "", "doctor")
	for _, text := range []string{"max_deliver is 3, want -1: ", "      nats consumer edit WX_EVENTS wxenrich-" + testAppID + " --max-deliver=-1\n",
		"filter_subjects is wx.events.*.subscribe", "note  account " + testAppID + ": WeChat does not say what is left"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
}

// TestDoctorOfAWrongSecret tells the token from the host that gives none.
func TestDoctorOfAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		environ []string
		code    int
		want    string
	}{
		"wrong secret":  {[]string{"WX_SECRET=" + strings.Repeat("0", 32)}, 1, "there is no token"},
		"no secret":     {[]string{"WX_SECRET="}, 1, "there is no token"},
		"no host":       {[]string{"WXENRICH_ACCOUNTS_0_API=http://127.0.0.1:1"}, 1, "WeChat gives no answer"},
		"classic token": {[]string{"WXENRICH_ACCOUNTS_0_TOKEN_SOURCE=classic"}, 0, "neither token nor quota was asked for"},
		"no bucket":     {[]string{"WXENRICH_STATE_BUCKET="}, 0, "state.bucket is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := *w
			v.environ = append(append([]string{}, w.environ...), c.environ...)
			v.run(t, "", "doctor").want(t, c.code, c.want, "")
		})
	}
	if n := calls(w); n > 9 {
		t.Errorf("%d calls", n)
	}
}

func TestDoctorWithoutNATS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "", "doctor", "--server", "nats://"+freePort(t))
	r.want(t, 1, "fail  NATS: no NATS server at ", "")
	if !strings.Contains(r.out, "quota 5,000,000 a day") {
		t.Errorf("the account was not looked at:\n%s", r.out)
	}
	w.run(t, "", "doctor", "--appid", "wxother").want(t, exitUsage, "", "the configuration has no account wxother")
	w.run(t, "", "doctor", "one").want(t, exitUsage, "", "")
}

func TestDoctorWithoutJetStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nats = eventstest.NewServer(t, func(o *server.Options) { o.JetStream = false })
	w.run(t, "", "doctor", "--server", w.nats.URL()).want(t, 1, "fail  JetStream: ", "")
}

// TestDoctorOfTheLeastPrivileges has a user who may do what a lane does, and one
// thing less each time.
func TestDoctorOfTheLeastPrivileges(t *testing.T) {
	t.Parallel()
	const durable = "wxenrich-" + testAppID
	needed := []string{"$JS.API.STREAM.INFO.*", "$JS.API.STREAM.NAMES",
		"$JS.API.CONSUMER.INFO.WX_EVENTS." + durable, "$JS.API.CONSUMER.CREATE.WX_EVENTS." + durable + ".>",
		"$JS.API.CONSUMER.MSG.NEXT.WX_EVENTS." + durable, "$JS.ACK.WX_EVENTS." + durable + ".>", "$JS.API.CONSUMER.LIST.WX_EVENTS",
		"wx.profiles.>", "wx.dead.>", "$KV.WX_STATE.>", "$JS.API.DIRECT.GET.KV_WX_STATE.>", "$JS.API.CONSUMER.CREATE.KV_WX_STATE.>",
		"$JS.API.CONSUMER.CREATE.WX_PROFILES.>", "$JS.API.CONSUMER.CREATE.WX_DEAD.>",
		"$JS.API.CONSUMER.MSG.NEXT.WX_PROFILES.>", "$JS.API.CONSUMER.MSG.NEXT.WX_DEAD.>", "$JS.API.DIRECT.GET.WX_EVENTS",
		"$JS.API.CONSUMER.CREATE.KV_WX_TOMBSTONES.>", "$KV.WX_TOMBSTONES.stone.>"}
	users := func(allow map[string][]string) eventstest.Option {
		return func(o *server.Options) {
			for name, subjects := range allow {
				p := &server.Permissions{Publish: &server.SubjectPermission{Allow: subjects}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_wxenrich.>"}}}
				if subjects == nil {
					p = nil
				}
				o.Users = append(o.Users, &server.User{Username: name, Password: "p", Permissions: p})
			}
		}
	}
	allow := map[string][]string{"all": nil, "needed": needed}
	for i, subject := range needed {
		allow[fmt.Sprint("without", i)] = slices.Concat(needed[:i], needed[i+1:], []string{"x" + subject})
	}
	w := newWorld(t)
	w.nats = eventstest.NewServer(t, users(allow))
	as := func(user string) result {
		return w.run(t, "", "doctor", "--server", w.nats.URL(), "--user", user, "--password", "p")
	}
	as("needed").want(t, 1, "fail  stream WX_EVENTS: does not exist, and this user may not make it\n      nats stream add WX_EVENTS ", "")
	as("needed").want(t, 1, "fail  permissions: publish to $JS.API.STREAM.CREATE.WX_EVENTS is denied: the stream does not exist and is to be made", "")
	js, err := jetstream.New(w.nats.Connect(nats.UserInfo("all", "p")))
	if err != nil {
		t.Fatal(err)
	}
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, AllowDirect: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
		t.Fatal(err)
	}
	before := holdings(t, js)
	as("all").want(t, 0, "ok    permissions: the server denies this user nothing", "")
	r := as("needed")
	r.want(t, 0, "ok    permissions: all of ", "")
	if strings.Contains(r.out, "denied") {
		t.Error(r.out)
	}
	w.environ = append(w.environ, "WXENRICH_ERASE_UNSUBSCRIBED=true", "WXENRICH_INPUT_SUBJECT=wx.events.{appid}.subscribe,wx.events.{appid}.unsubscribe")
	r = as("needed")
	for _, subject := range []string{"$JS.API.STREAM.MSG.DELETE.WX_PROFILES", "$JS.API.STREAM.CREATE.KV_WX_TOMBSTONES", "$KV.WX_TOMBSTONES.doctor", "wx.erased." + testAppID} {
		r.want(t, 1, "fail  permissions: publish to "+subject+" is denied: ", "")
	}
	w.environ = w.environ[:len(w.environ)-2]
	for i, subject := range needed {
		r := as(fmt.Sprint("without", i))
		stem := strings.TrimRight(subject, "*>.")
		if !strings.Contains(r.out, "permissions: publish to "+stem) || !strings.Contains(r.out, `      add "`+stem) {
			t.Errorf("nothing is said of %s:\n%s", subject, r.out)
		}
	}
	if d := cmp.Diff(before, holdings(t, js)); d != "" {
		t.Errorf("it changed something: -before +after\n%s", d)
	}
}

func TestJudgeClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead, give time.Duration
		want        verdictWord
		said        string
	}{
		{300 * time.Millisecond, time.Millisecond, fine, "the server is 300ms ahead of this machine, give or take 1ms"},
		{-1500 * time.Millisecond, time.Millisecond, bad, "the server is 1.5s behind this machine, give or take 1ms"},
		{-1500 * time.Millisecond, time.Second, fine, "the server is 1.5s behind this machine, give or take 1s"},
		{11 * time.Second, time.Millisecond, broken, "the server is 11s ahead of this machine, give or take 1ms"},
	} {
		d := new(doctor)
		d.judgeClock(c.ahead, c.give)
		if got := d.checks[0]; got.Verdict != c.want || got.Said != c.said || (got.Fix == "") != (c.want == fine) {
			t.Errorf("%+v, want %s: %s", got, c.want, c.said)
		}
	}
}

// What the bucket says of how far events are answered is held against the
// durable.
func TestDoctorReadsTheMark(t *testing.T) {
	t.Parallel()
	w := served(t)
	js := w.nats.JetStream()
	stream, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "WX_STATE")
	if err != nil {
		t.Fatal(err)
	}
	const durable = "wxenrich-" + testAppID
	mark := func(floor int) {
		t.Helper()
		value, err := json.Marshal(map[string]any{"stream": stream.CachedInfo().Created, "floor": floor, "may": 5000, "steps": []any{}})
		if err == nil {
			_, err = kv.Put(t.Context(), "mark."+testAppID+"."+durable, value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mark(1)
	if r := w.run(t, "", "doctor"); strings.Contains(r.out, "fallen behind") {
		t.Errorf("the durable is ahead of the mark:\n%s", r.out)
	}
	mark(1234)
	w.run(t, "", "doctor").want(t, 0, "durable "+durable+" of stream WX_EVENTS: it has fallen behind: all is acknowledged up to 2, and was up to 1,234 before", "")
	if err := js.DeleteConsumer(t.Context(), "WX_EVENTS", durable); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "doctor").want(t, 0, "note  durable "+durable+` of stream WX_EVENTS: is gone; "wxenrich run" makes it anew behind 1,234, up to which all is answered`, "")
}
