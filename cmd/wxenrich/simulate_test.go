package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// What simulate prints is a configuration that lookup works with.
func TestSimulate(t *testing.T) {
	t.Parallel()
	w := &world{environ: []string{"WX_SIM_SECRET=simulated-secret"}}
	sim := w.background(t, "simulate", "--listen", "127.0.0.1:0", "--appid", "wxa", "--appid", "wxb", "--followers", "3", "--bad", "1", "--shape2015")
	text := sim.out.waitFor("# wxb: refused ")
	path := t.TempDir() + "/wxenrich.yaml"
	write(t, path, text)
	w.environ = append(w.environ, "WXENRICH_CONFIG="+path)
	wxenrich(t, w.environ, "", "config", "check").want(t, 0, "fine: 2 accounts, 0 warnings", "")

	api := regexp.MustCompile(`http://\S+:\d+`).FindString(text)
	resp, err := http.Get(api + "/_sim/users?appid=wxa&limit=2")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var users struct{ OpenIDs []string }
	if err := json.Unmarshal(body, &users); err != nil || len(users.OpenIDs) != 2 {
		t.Fatalf("%s: %v", body, err)
	}
	if !strings.Contains(text, users.OpenIDs[0]) {
		t.Errorf("%s is not in what is printed:\n%s", users.OpenIDs[0], text)
	}
	wxenrich(t, w.environ, "", "lookup", "--appid", "wxa", users.OpenIDs[0]).want(t, 0, "nickname", "")
	wxenrich(t, w.environ, "", "lookup", "--appid", "wxb", users.OpenIDs[0]).want(t, 3, "", "40003")
	http.DefaultClient.CloseIdleConnections()
	if code := sim.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]wechattest.Fault{
		"code=-1,probability=0.05": {Match: wechattest.Match{Probability: 0.05}, Do: wechattest.Action{Code: -1}},
		"endpoint=user/info/batchget, nth=3, reset, times=1": {
			Match: wechattest.Match{Endpoint: "user/info/batchget", Nth: 3}, Times: 1, Do: wechattest.Action{Reset: true}},
		"latency=2s/9s": {Do: wechattest.Action{Latency: new(wechattest.LogNormal(2*time.Second, 9*time.Second))}},
		"slow=1s":       {Do: wechattest.Action{Slow: wechattest.Duration(time.Second)}},
		`{"match":{"appid":"wx1"},"do":{"status":502,"body":"a,b"}}`: {
			Match: wechattest.Match{AppID: "wx1"}, Do: wechattest.Action{Status: 502, Body: "a,b"}},
	} {
		got, err := parseFault(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", text, err, d)
		}
	}
	for _, text := range []string{"", "code=x", "nth=3", "colour=red", "{", "latency=fast"} {
		if f, err := parseFault(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

var helpFault = regexp.MustCompile(`(?m)^  (\S+)`)

// The faults in the help are ones: as flags, and the JSON for a simulator that runs.
func TestFaultsOfTheHelp(t *testing.T) {
	t.Parallel()
	_, help, _ := strings.Cut(newSimulateCommand(&app{}).Long, "A --fault is")
	sim := wechattest.New()
	asJSON := 0
	for _, m := range helpFault.FindAllStringSubmatch(help, -1) {
		text := m[1]
		if _, err := parseFault(text); err != nil {
			t.Errorf("--fault %s: %v", text, err)
		}
		if !strings.HasPrefix(text, "{") {
			continue
		}
		asJSON++
		answer := httptest.NewRecorder()
		sim.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/_sim/fault", strings.NewReader(text)))
		if answer.Code != http.StatusOK {
			t.Errorf("POST of %s: %d %s", text, answer.Code, answer.Body)
		}
	}
	if asJSON != 1 {
		t.Errorf("%d faults as JSON in\n%s", asJSON, help)
	}
}

func TestParseLatency(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]wechattest.Latency{
		"0s":         wechattest.Constant(0),
		"60ms":       wechattest.Constant(60 * time.Millisecond),
		"60ms/150ms": wechattest.LogNormal(60*time.Millisecond, 150*time.Millisecond),
	} {
		got, err := parseLatency(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", text, err, d)
		}
	}
	for _, text := range []string{"60", "-1s", "60ms/", "0s/1s", "2s/1s"} {
		if _, err := parseLatency(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
