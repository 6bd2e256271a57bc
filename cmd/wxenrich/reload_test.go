package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// folder is an accounts_dir, and a service that runs with it.
type folder struct {
	*world
	t      *testing.T
	dir    string
	js     jetstream.JetStream
	listen string
	run    *process
}

// newFolder starts the service with one account in the folder.
func newFolder(t *testing.T, dir string, fill func(f *folder)) *folder {
	t.Helper()
	f := &folder{world: newWorld(t), t: t, dir: dir, listen: freePort(t)}
	config := filepath.Join(t.TempDir(), "wxenrich.yaml")
	text := fmt.Sprintf("nats: {url: %q}\naccounts_dir: %q\ninput: {start: all}\nhttp: {listen: %q}\n", f.nats.URL(), dir, f.listen)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.environ = []string{"WXENRICH_CONFIG=" + config, "WX_SECRET=" + testSecret}
	f.js = f.streams(t)
	fill(f)
	f.run = f.process(t, "run")
	f.run.up(t, "lane is running")
	return f
}

// account is an account's file; more is what it says beside the necessary.
func (f *folder) file(appid, more string) string {
	return fmt.Sprintf("appid: %s\nsecret_env: WX_SECRET\napi: %q\n%s", appid, f.api, more)
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// another adds an account to the simulator.
func (f *folder) another(appid string) *wechattest.Account {
	return f.sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: testSecret, Followers: 10})
}

// answers waits until an event of the account has its record.
func (f *folder) answers(a *wechattest.Account, appid string) {
	f.t.Helper()
	output, err := f.js.Stream(f.t.Context(), "WX_PROFILES")
	if err != nil {
		f.t.Fatal(err)
	}
	before := output.CachedInfo().State.Msgs
	if _, err := f.js.Publish(f.t.Context(), "wx.events."+appid+".subscribe", []byte(a.OpenID(1))); err != nil {
		f.t.Fatal(err)
	}
	f.until("an event of "+appid+" is answered", func() bool {
		info, err := output.Info(f.t.Context())
		return err == nil && info.State.Msgs > before
	})
}

func (f *folder) until(what string, cond func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(everything); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("waited in vain until %s:\n%s", what, f.run.out.waitFor(""))
		}
	}
}

func (f *folder) ready(status int, text string, has bool) {
	f.t.Helper()
	f.until(fmt.Sprintf("/readyz is %d and %q in it is %v", status, text, has), func() bool {
		s, body := get(f.t, "http://"+f.listen+"/readyz")
		return s == status && strings.Contains(body, text) == has
	})
}

// metric waits for a line of /metrics.
func (f *folder) metric(line string) {
	f.t.Helper()
	is := regexp.MustCompile("(?m)^" + line + "$")
	f.until(line, func() bool {
		_, body := get(f.t, "http://"+f.listen+"/metrics")
		return is.MatchString(body)
	})
}

// Accounts come, change and go while the service runs, and a file that is wrong
// costs nothing but itself.
func TestAccountsChangeWithoutARestart(t *testing.T) {
	t.Parallel()
	const second, third = "wx00000000000000b2", "wx00000000000000c3"
	f := newFolder(t, t.TempDir(), func(f *folder) { f.write("one.yaml", f.file(testAppID, "")) })
	f.answers(f.account, testAppID)

	b := f.another(second)
	f.write("two.yaml", f.file(second, ""))
	f.answers(b, second)
	f.ready(200, second, true)

	f.write("two.yaml", f.file(second, "concurency: 8\n")) // misspelt
	f.ready(200, `"configuration":[{`, true)
	f.metric(`wxenrich_config_faults 1`)
	f.answers(b, second)
	c := f.another(third)
	f.write("three.yaml", f.file(third, "")) // beside one that is wrong
	f.answers(c, third)
	if out := f.run.out.waitFor("two.yaml:4"); !strings.Contains(out, "did you mean concurrency?") {
		t.Errorf("the log does not say what is wrong:\n%s", out)
	}
	f.write("a-copy.yaml", f.file(testAppID, "concurrency: 9\n")) // whose appid somebody forgot to change
	f.run.up(t, "a-copy.yaml:1")
	f.answers(f.account, testAppID)
	if err := os.Remove(filepath.Join(f.dir, "a-copy.yaml")); err != nil {
		t.Fatal(err)
	}
	f.write("two.yaml", "") // as while it is being written
	f.run.up(t, "is empty")
	f.answers(b, second)

	f.write("two.yaml", f.file(second, "concurrency: 8\n"))
	f.run.up(t, "changed=["+second+"]")
	f.ready(200, `"configuration"`, false)
	f.answers(b, second)
	f.answers(f.account, testAppID)

	if err := os.Remove(filepath.Join(f.dir, "two.yaml")); err != nil {
		t.Fatal(err)
	}
	f.run.up(t, "removed=["+second+"]")
	f.ready(200, second, false)
	info, err := f.js.Consumer(t.Context(), "WX_EVENTS", "wxenrich-"+second)
	if err != nil || info.CachedInfo().NumAckPending != 0 {
		t.Errorf("of the account that is gone: %+v, %v", info, err)
	}
	f.answers(f.account, testAppID)
	if _, body := get(t, "http://"+f.listen+"/metrics"); strings.Contains(body, second) || !strings.Contains(body, `wxenrich_event_duration_seconds_count{appid="`+testAppID) {
		t.Errorf("series of an account that is gone, or none of one that is there:\n%s", body)
	}
	f.write("two.yaml", f.file(second, ""))
	f.metric(`wxenrich_event_duration_seconds_count\{appid="` + second + `"\} \d+`) // it is back, and so is what it had

	out := f.run.out.waitFor("")
	if n := strings.Count(out, `msg="lane is running" appid=`+testAppID); n != 1 {
		t.Errorf("the account that did not change was started %d times", n)
	}
	if code := f.run.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out := f.run.out.waitFor(""); strings.Contains(out, testSecret) {
		t.Error("the log shows the secret")
	}
}

// A config map or secret of Kubernetes is replaced by renaming a symbolic link.
func TestAccountsOfAMountedVolume(t *testing.T) {
	t.Parallel()
	const second = "wx00000000000000b2"
	dir := t.TempDir()
	publish := func(version string, files map[string]string) {
		t.Helper()
		real := filepath.Join(dir, "..2026_"+version)
		if err := os.Mkdir(real, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(real, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)) // it may be there
		}
		if err := os.Symlink(filepath.Base(real), filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	f := newFolder(t, dir, func(f *folder) {
		publish("1", map[string]string{"one.yaml": f.file(testAppID, "")})
	})
	b := f.another(second)
	publish("2", map[string]string{"one.yaml": f.file(testAppID, "concurrency: 2\n"), "two.yaml": f.file(second, "")})
	f.answers(b, second)
	f.run.up(t, "changed=["+testAppID+"]")
	f.answers(f.account, testAppID)
}

// SIGHUP reads accounts of the main file again, too, and a folder that is empty
// at first is filled later.
func TestSIGHUPReadsAccountsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const second = "wx00000000000000b2"
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all")
	f := &folder{world: w, t: t, js: w.streams(t)}
	f.run = w.process(t, "run")
	f.run.up(t, "lane is running")
	b := f.another(second)
	path := strings.TrimPrefix(w.environ[0], "WXENRICH_CONFIG=")
	var text strings.Builder
	text.WriteString(fmt.Sprintf("nats: {url: %q}\nlog: {level: debug}\naccounts:\n", w.nats.URL()))
	for _, appid := range []string{testAppID, second} {
		text.WriteString(fmt.Sprintf("  - {appid: %s, secret_env: WX_SECRET, api: %q}\n", appid, w.api))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.run.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	f.answers(b, second)
	f.run.up(t, "sections=log")
	if err := os.WriteFile(path, []byte("nats: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.run.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	f.run.up(t, "last good state")
	f.answers(b, second)
	f.answers(f.account, testAppID)
}
