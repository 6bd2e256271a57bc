//go:build unix

package main

import (
	"errors"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v3"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
)

const deploy = "../../deploy/"

var metricName = regexp.MustCompile(`wxenrich_[a-z_]+`)

// A panel or a rule that names a metric which does not exist shows nothing, and
// nobody notices.
func TestDeployNamesMetrics(t *testing.T) {
	t.Parallel()
	page := metricName.FindAllString(read(t, deploy+"docs/metrics.md"), -1)
	for _, path := range []string{"prometheus/rules.yaml", "grafana/wxenrich.json", "RUNBOOK.md"} {
		named := families(strings.Join(metricName.FindAllString(read(t, deploy+path), -1), "\n"))
		if len(named) == 0 {
			t.Errorf("%s names no metric", path)
		}
		for _, name := range named {
			if !slices.Contains(page, name) {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
		if path != "grafana/wxenrich.json" {
			continue
		}
		for _, name := range page {
			if !slices.Contains(named, name) {
				t.Errorf("the dashboard does not show %s", name)
			}
		}
	}
}

// promtool is Prometheus's own judge of rules.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("promtool is not installed (Debian: apt-get install prometheus)")
	}
	return path
}

func TestAlertRules(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		c := exec.CommandContext(t.Context(), tool, args...)
		c.Dir = deploy + "prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

var (
	alertName  = regexp.MustCompile(`(?m)- alert: (\w+)`)
	alertEntry = regexp.MustCompile(`(?m)^<a id="(\w+)"></a>\n\n### (\w+) (.+)$`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	localLink  = regexp.MustCompile(`\]\(#([^)]+)\)`)
	noSlug     = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	han        = regexp.MustCompile(`\p{Han}`)
)

// Whoever is woken up finds the alert, and the hold, in the runbook.
func TestRunbookNamesAll(t *testing.T) {
	t.Parallel()
	book, rules, rulesTest := read(t, deploy+"RUNBOOK.md"), read(t, deploy+"prometheus/rules.yaml"), read(t, deploy+"prometheus/rules_test.yaml")
	entries := make(map[string]string) // where links to them lead, by alert
	for _, m := range alertEntry.FindAllStringSubmatch(book, -1) {
		entries[m[2]] = m[1]
	}
	alerts := alertName.FindAllStringSubmatch(rules, -1)
	for _, m := range alerts {
		alert := m[1]
		if entries[alert] != strings.ToLower(alert) {
			t.Errorf("the runbook has no entry for %s, or none that can be linked to", alert)
		}
		if !strings.Contains(rules, "runbook: RUNBOOK.md#"+strings.ToLower(alert)+"\n") {
			t.Errorf("%s does not lead to its entry", alert)
		}
		if !strings.Contains(rulesTest, "alertname: "+alert+"\n        exp_alerts:") {
			t.Errorf("no test makes %s fire", alert)
		}
	}
	if n := strings.Count(book, "\n### Wxenrich"); n != len(alerts) {
		t.Errorf("the runbook has %d alerts, the rules %d", n, len(alerts))
	}
	places := slices.Collect(maps.Values(entries))
	for _, m := range heading.FindAllStringSubmatch(withoutBlocks(book), -1) {
		if !han.MatchString(m[1]) {
			t.Errorf("the heading %q says nothing in Chinese", m[1])
		}
		places = append(places, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")) // as GitHub does
	}
	for _, m := range localLink.FindAllStringSubmatch(book, -1) {
		if !slices.Contains(places, m[1]) {
			t.Errorf("a link leads to #%s, which is nowhere", m[1])
		}
	}
	for _, reason := range []string{pipeline.HoldOperator, pipeline.HoldAddress, pipeline.HoldDailyQuota, pipeline.HoldWrongAccount,
		pipeline.HoldBug, pipeline.HoldUnknown, pipeline.HoldStolenToken, pipeline.HoldManual} {
		if !strings.Contains(book, "\n| `"+reason+"` |") {
			t.Errorf("the runbook has no entry for the hold %s", reason)
		}
	}
}

// withoutBlocks is a page without its blocks of code, whose comments look like headings.
func withoutBlocks(page string) string {
	parts := strings.Split(page, "\n```")
	var text strings.Builder
	for i := 0; i < len(parts); i += 2 {
		text.WriteString(parts[i] + "\n")
	}
	return text.String()
}

func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	api, openid := account(t)
	url := eventstest.NewServer(t).URL()
	listen := freePort(t)
	r := newReader(t, []string{"APPSECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_API=" + api,
		"NATS_URL=" + url, "WXENRICH_HTTP_LISTEN=" + listen}, "127.0.0.1:9464", listen)
	book, err := filepath.Abs(deploy + "RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	r.path = book
	for _, b := range blocks(t, book) {
		if b.lang == "sh" && !strings.HasPrefix(b.note, "run: ") {
			t.Errorf("a block that nobody runs:\n%s", b.text)
		}
	}
	write(t, filepath.Join(r.dir, "wx-secret"), testSecret)
	r.script("wxenrich config init --appid " + testAppID + " >/dev/null; wxenrich config check >/dev/null")
	r.start("wxenrich run", "lane is running")
	r.script("wxenrich publish " + openid)
	out := r.play("look")
	for _, text := range []string{testAppID, `"phase":"running"`, `"ready":true`, ", 0 failed\n", "the law holds"} {
		if !strings.Contains(out, text) {
			t.Errorf("nothing printed %q:\n%s", text, out)
		}
	}
	for _, command := range inlineCommands(read(t, book)) {
		if command == "wxenrich probe" {
			command += " || test $? = 3" // nobody is on hold
		}
		r.script(command)
	}
}

var inlineCommand = regexp.MustCompile("`((?:wxenrich|nats) [^`]+)`")

// inlineCommands is the commands in a text's sentences, each once; those that
// change a hold in an order that makes sense.
func inlineCommands(text string) []string {
	holds := []string{"wxenrich probe", "wxenrich hold", "wxenrich resume"}
	var all []string
	for _, m := range inlineCommand.FindAllStringSubmatch(text, -1) {
		command := strings.Join(strings.Fields(m[1]), " ") // it may go on in the next line
		if !slices.Contains(slices.Concat(all, holds), command) {
			all = append(all, command)
		}
	}
	return append(all, holds...)
}

var dottedKey = regexp.MustCompile(`^(?:accounts\[\]\.)?[a-z_]+(?:\.[a-z_]+)+$`)

// A key that the runbook tells somebody to set exists.
func TestRunbookNamesKeys(t *testing.T) {
	t.Parallel()
	table := read(t, readmes["en"])
	n := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(read(t, deploy+"RUNBOOK.md"), -1) {
		key := m[1]
		if !dottedKey.MatchString(key) || strings.HasPrefix(key, "hold.") || strings.HasSuffix(key, ".com") { // of the log; a host
			continue
		}
		n++
		if !strings.Contains(table, "| `"+key+"` |") && !strings.Contains(table, "| `accounts[]."+key+"` |") {
			t.Errorf("the runbook names %s, which cannot be set", key)
		}
	}
	if n < 10 {
		t.Errorf("the runbook names %d keys", n)
	}
}

var fallback = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`)

// The compose file sets the service by its environment: a key that does not
// exist would stop it at its start.
func TestComposeConfigures(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if err := yaml.Unmarshal([]byte(read(t, deploy+"compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"wxenrich", "gateway"} {
		var environ []string
		for key, value := range file.Services[service].Environment {
			environ = append(environ, key+"="+fallback.ReplaceAllString(value, "$1"))
		}
		cfg, err := config.Load(config.Options{Environ: environ, Accounts: true})
		if err != nil {
			t.Fatal(service, err)
		}
		if a := cfg.Accounts[0]; cfg.NATS.User != "wxenrich" || a.SecretFile == "" && !a.Push.Configured() {
			t.Errorf("%s: %d variables set %+v", service, len(environ), cfg.NATS)
		}
	}
}

// What the compose file mounts is there, no image is "latest", nothing but
// loopback is published, and nobody may do more than he needs. No container
// engine is asked.
func TestComposeHoldsTogether(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]struct {
			Image, User string
			Volumes     []string
			Ports       []string
			Secrets     []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Environment map[string]string
			DependsOn   map[string]any `yaml:"depends_on"`
		}
		Secrets map[string]struct{ File string }
		Volumes map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, deploy+"compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nats", "wxenrich", "gateway", "simulator", "collector", "prometheus", "grafana"} {
		if _, ok := file.Services[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	for name, s := range file.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s may do more than it needs", name)
		}
		if s.Image != "wxenrich" && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			t.Errorf("%s: nobody knows which %s that is", name, s.Image)
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, named := file.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(deploy + source); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: anybody reaches %s", name, port)
			}
		}
		for _, secret := range s.Secrets {
			if _, err := os.Stat(deploy + file.Secrets[secret].File); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for other := range s.DependsOn {
			if _, ok := file.Services[other]; !ok {
				t.Errorf("%s waits for %s, which is not there", name, other)
			}
		}
	}
	endpoint, err := url.Parse(file.Services["wxenrich"].Environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
	if err != nil {
		t.Fatal(err)
	}
	var collector struct {
		Receivers map[string]struct {
			Protocols map[string]struct{ Endpoint string }
		}
		Processors, Exporters map[string]any
		Service               struct {
			Pipelines map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, deploy+"compose/collector.yaml")), &collector); err != nil {
		t.Fatal(err)
	}
	if got := collector.Receivers["otlp"].Protocols["http"].Endpoint; endpoint.Hostname() != "collector" || !strings.HasSuffix(got, ":"+endpoint.Port()) {
		t.Errorf("spans are sent to %s, and the collector listens on %s", endpoint.Host, got)
	}
	for _, kind := range []string{"traces", "logs"} {
		p, ok := collector.Service.Pipelines[kind]
		for _, name := range p.Processors {
			_, known := collector.Processors[name]
			ok = ok && known
		}
		for _, name := range p.Exporters {
			_, known := collector.Exporters[name]
			ok = ok && known
		}
		if !ok || !slices.Equal(p.Receivers, []string{"otlp"}) {
			t.Errorf("the collector's pipeline of %s is %+v", kind, p)
		}
	}
}

// The compose file's NATS server takes the service, and keeps what it acknowledges.
func TestComposeNATS(t *testing.T) {
	t.Parallel()
	opts, err := server.ProcessConfigFile(deploy + "compose/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !opts.SyncAlways {
		t.Error("a power cut would lose acknowledged messages")
	}
	opts.Host, opts.Port, opts.HTTPPort, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, 0, t.TempDir(), true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	password := strings.TrimSpace(read(t, deploy+"compose/nats-password"))
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("wxenrich", password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}); err != nil {
		t.Error(err)
	}
	denied := make(chan error, 10)
	anybody, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer anybody.Close()
	if stored, err := anybody.Request("wx.events."+testAppID+".subscribe", []byte("an event"), patience); err != nil || !strings.Contains(string(stored.Data), `"seq":1`) {
		t.Errorf("without a password an event is not stored: %v", err)
	}
	if _, err := anybody.SubscribeSync("wx.>"); err != nil {
		t.Fatal(err)
	}
	if err := <-denied; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("without a password everything is heard: %v", err)
	}
}

// systemd judges the unit: 0 is locked up, 10 is everything.
func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, unit := range []string{"wxenrich.service", "wxenrich-gateway.service"} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", deploy+"systemd/"+unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

var keyKind = regexp.MustCompile(`\bkind[A-Z]\w*\s+= "(\w+)"`)

// Whoever runs it for years has to know what there is, and what may go: each
// stream, and each kind of key in the bucket, has a row on the state page, and
// none has one that is not there any more.
func TestStatePage(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	want := []string{cfg.Input.Stream, cfg.Outputs[0].Stream, cfg.Dead.Stream, cfg.Gateway.Messages.Stream, cfg.Crawls.Stream, cfg.Erase.Stream, "KV_" + cfg.State.Bucket, "KV_" + cfg.Erase.Bucket,
		"gateway.spool.dir", "nats.store_dir", "token", "salt"}
	err := filepath.WalkDir("../../pipeline", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range keyKind.FindAllStringSubmatch(read(t, path), -1) {
			want = append(want, m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(read(t, deploy+"docs/state.md")) {
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ := strings.Cut(row, " | ")
			got = append(got, strings.Split(strings.Trim(cell, "`"), "`, `")...)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("deploy/docs/state.md: -there is +it says\n%s", d)
	}
}
