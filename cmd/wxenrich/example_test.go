package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// endless are examples that run until they are interrupted, with what they
// print when they are up; an empty text is for those that say nothing.
var endless = map[string]string{
	"wxenrich tail":                       "",
	"wxenrich status --watch --every 10s": "no durable",
	"wxenrich simulate":                   "wxsimulated: 10000 followers",
	"wxenrich simulate --listen 127.0.0.1:0 --appid wxa --appid wxb --followers 1000000 --latency 60ms/150ms": "wxb: 1000000 followers",
	"wxenrich simulate --listen 127.0.0.1:0 --bad 2 --fault code=-1,probability=0.05":                         "refused",
	"wxenrich simulate --listen 127.0.0.1:0 --push-rate 5 --push http://127.0.0.1:8080/wechat":                "WX_SIM_PUSH_KEY",
}

// TestExamples runs every example of every --help as it stands there, but for
// the openid, the port of the simulator, and what has tests of its own.
func TestExamples(t *testing.T) {
	w := newWorld(t)
	js := w.streams(t)
	for seq := range uint64(20) {
		publishRecord(t, js, events.Msgpack, seq+1, w.account.OpenID(int(seq)), "张三")
	}
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	w.morgue(t)
	t.Chdir(t.TempDir())
	id := w.account.OpenID(0)
	const config = "accounts: [{appid: " + testAppID + ", secret_env: WX_SECRET, api: 'API'}]\nnats: {url: 'NATS'}\n"
	yaml := strings.NewReplacer("API", w.api, "NATS", w.nats.URL()).Replace(config)
	write(t, "prod.yaml", yaml)
	write(t, "openids.txt", id+"\n")
	write(t, "followers.csv", id+",张三\n")
	write(t, "letters.ndjson", `{"event":{"openid":"`+id+`"}}`+"\n")
	w.environ = []string{"WX_SECRET=" + testSecret}

	each(newRoot(&app{}), func(c *cobra.Command) {
		for example := range strings.SplitSeq(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
			example = strings.Join(strings.Fields(example), " ")
			if example == "" || ownTest[c.Name()] {
				continue
			}
			write(t, "wxenrich.yaml", yaml) // "config init" may have replaced it
			w.pausedJob(t, bucket, job.Replay)
			w.pausedJob(t, bucket, job.Backfill)
			if text, ok := endless[example]; ok {
				if example == "wxenrich simulate" {
					example += " --listen 127.0.0.1:0" // the usual port may be taken
				}
				b := w.background(t, strings.Fields(example)[1:]...)
				b.out.waitFor(text)
				if code := b.end(); code != 0 {
					t.Errorf("%s: exit code %d", example, code)
				}
				continue
			}
			line := strings.NewReplacer("oABCDEFGHIJKLMNOPQRSTUVWXYZ0", id, "http://127.0.0.1:8080", w.api).Replace(example)
			stdin := ""
			if left, right, piped := strings.Cut(line, " | "); piped {
				out, err := exec.CommandContext(t.Context(), "sh", "-c", left).Output()
				if err != nil {
					t.Fatalf("%s: %v", left, err)
				}
				line, stdin = right, string(out)
			}
			if c.Name() == "init" {
				line += " --appid wx1 --force" // what a person would answer, for each run anew
			}
			if r := w.run(t, stdin, strings.Fields(line)[1:]...); r.code != 0 {
				t.Errorf("%s: exit code %d\n%s%s", example, r.code, r.out, r.err)
			}
		}
	})
}

// ownTest is commands whose examples are more than a line to run.
var ownTest = map[string]bool{"run": true, "demo": true, "audit": true, "probe": true, "purge": true, "replay": true, "gateway": true, "bench": true, "bars": true, "scale": true, "tracing": true, "erase": true}
