package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		environ []string
		want    []string
	}{
		"unknown key":              {"batch: {windw: 5ms}", nil, []string{`w.yaml:1: batch: unknown key "windw": did you mean window?`}},
		"key of another section":   {"window: 5ms", nil, []string{`w.yaml:1: unknown key "window": did you mean batch.window?`}},
		"key of an account":        {"canary_openid: x", nil, []string{`w.yaml:1: unknown key "canary_openid": did you mean accounts[0].canary_openid?`}},
		"unlike anything":          {"shutdown: {xyzzy: 1}", nil, []string{`w.yaml:1: shutdown: unknown key "xyzzy": want one of grace`}},
		"a secret is not shown":    {"accounts:\n- appid: wx1\n  secret_env: S\n  secret: hush", nil, []string{`w.yaml:4: accounts[0]: unknown key "secret": did you mean secret_file?`}},
		"twice":                    {"batch:\n  size: 1\n  size: 2", nil, []string{"w.yaml:3: batch.size: is there twice"}},
		"section is a value":       {"shutdown: 5s", nil, []string{"w.yaml:1: shutdown: is a single value: want a section with one of grace"}},
		"value is a section":       {"manage: {a: b}", nil, []string{"w.yaml:1: manage: is a section: want one value"}},
		"accounts is a section":    {"accounts: {appid: x}", nil, []string{`w.yaml:1: accounts: is a section: want a list, each item beginning with "- appid:"`}},
		"list of lists":            {"input: {subject: [[a]]}", nil, []string{"w.yaml:1: input.subject: is a list: want single values"}},
		"not YAML":                 {"a: [", nil, []string{"w.yaml: yaml: line 1: did not find expected node content"}},
		"two documents":            {"manage: bind\n---\nmanage: bind", nil, []string{"w.yaml: holds more than one document: want one"}},
		"bare number":              {"batch: {window: 100}", nil, []string{`w.yaml:1: batch.window: "100" has no unit: want a duration such as 100ms, 30s or 10m`}},
		"no duration":              {"batch: {window: soon}", nil, []string{`w.yaml:1: batch.window: "soon" is not a duration: want one such as 100ms, 30s, 10m or 30d`}},
		"no size":                  {"recent: {memory: 16 cows}", nil, []string{`w.yaml:1: recent.memory: "16 cows" is not a size: want one such as 16MiB or 64MB`}},
		"no bool":                  {"nats: {embedded: yes}", nil, []string{`w.yaml:1: nats.embedded: "yes" is neither true nor false`}},
		"no integer":               {"batch: {size: many}", nil, []string{`w.yaml:1: batch.size: "many" is not a whole number`}},
		"no choice":                {"batch: {pace: quick}", nil, []string{`w.yaml:1: batch.pace: "quick" is none of adaptive, fixed`}},
		"too small":                {"batch: {size: 0}", nil, []string{"w.yaml:1: batch.size: 0 is too small: want at least 1"}},
		"too big":                  {"batch: {size: 101}", nil, []string{"w.yaml:1: batch.size: 101 is too big: want at most 100"}},
		"no grace":                 {"shutdown: {grace: 0s}", nil, []string{"w.yaml:1: shutdown.grace: 0s is too small: want at least 1ms"}},
		"start":                    {"input: {start: yesterday}", nil, []string{`w.yaml:1: input.start: "yesterday" is none of new, all and a time such as 2026-01-31T08:00:00+08:00`}},
		"no subject":               {"input: {subject: []}", nil, []string{"w.yaml:1: input.subject: is empty: want a subject such as wx.events.{appid}.subscribe"}},
		"durable":                  {"input: {durable: 'a.{appid}'}", nil, []string{`w.yaml:1: input.durable: "a.{appid}" cannot name a consumer: no dots, spaces, *, > or slashes`}},
		"durable without a bucket": {"input: {durable_storage: memory}\nstate: {bucket: ''}", nil, []string{"w.yaml:1: input.durable_storage: is memory: want a state.bucket and manage: create, since a restart of the server forgets the consumer"}},
		"stream":                   {"output: {stream: a.b}", nil, []string{`w.yaml:1: output.stream: "a.b" cannot name a stream: no dots, spaces, *, > or slashes`}},
		"window above its maximum": {"batch:\n  window: 2s", nil, []string{"w.yaml:2: batch.window: 2s is more than batch.window_max, 1s"}},
		"window above ack_wait":    {"batch: {window_max: 1m}", nil, []string{"w.yaml:1: batch.window_max: 1m is not below input.ack_wait, 30s: events would be delivered again while they wait"}},
		"retry":                    {"retry: {initial: 1m}", nil, []string{"w.yaml:1: retry.initial: 1m is more than retry.max, 30s"}},
		"duplicates":               {"dead: {max_age: 5m}", nil, []string{"dead.duplicates: 10m is more than dead.max_age, 5m: the server refuses that"}},
		"address":                  {"http: {listen: nowhere}", nil, []string{`w.yaml:1: http.listen: "nowhere" is not an address: want one such as 127.0.0.1:9464`}},
		"gateway path":             {"gateway: {path: wechat}", nil, []string{`w.yaml:1: gateway.path: "wechat" is not a path: want one such as /wechat`}},
		"gateway subjects":         {"gateway: {messages: {subject: 'wx.events.{appid}.{type}'}}", nil, []string{`w.yaml:1: gateway.messages.subject: wx.events.{appid}.{type} may be an event's subject: want one of its own`}},
		"gateway timeout":          {"gateway: {timeout: 5s}", nil, []string{`w.yaml:1: gateway.timeout: 5s is too big: want at most 4.8s`}},
		"push without token":       {"accounts: [{appid: wx1, secret_env: S, push: {original_id: gh_1}}]", nil, []string{"w.yaml:1: accounts[0].push.token_file: is missing: want push.token_file or push.token_env beside the account's other push keys"}},
		"encrypted without key":    {"accounts: [{appid: wx1, secret_env: S, push: {token_env: S, encrypted_only: true}}]", nil, []string{"w.yaml:1: accounts[0].push.encrypted_only: is on, and there is no key: want push.aes_key_file or push.aes_key_env"}},
		"an AES key, not its file": {"accounts: [{appid: wx1, secret_env: S, push: {token_env: S, aes_key_file: abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG}}]", nil, []string{"w.yaml:1: accounts[0].push.aes_key_file: seems to hold the secret itself: want the name of a file that holds it"}},
		"port":                     {"http: {listen: ':99999'}", nil, []string{`w.yaml:1: http.listen: ":99999" is not an address: want one such as 127.0.0.1:9464`}},
		"same stream for both":     {"dead: {stream: WX_PROFILES}", nil, []string{"w.yaml:1: dead.stream: WX_PROFILES is output.stream too: want one of its own"}},
		"same subject for both":    {"dead: {subject: 'wx.profiles.{reason}'}", nil, []string{"w.yaml:1: dead.subject: wx.profiles.{reason} may be the same as output.subject, wx.profiles.{appid}: want one of its own"}},
		"user without password":    {"nats: {user: u}", nil, []string{"w.yaml:1: nats.user: want both nats.user and nats.password_file, or neither"}},
		"inbox with a wildcard":    {"nats: {inbox_prefix: _INBOX.>}", nil, []string{`w.yaml:1: nats.inbox_prefix: template "_INBOX.>" has a wildcard`}},
		"half a certificate":       {"nats: {tls_key: k}", nil, []string{"nats.tls_cert: want both nats.tls_cert and nats.tls_key, or neither"}},
		"embedded without folder":  {"nats: {embedded: true}", nil, []string{"nats.store_dir: is empty: nats.embedded wants a folder to keep the streams in"}},
		"embedded and elsewhere":   {"nats: {embedded: true, store_dir: d, url: 'nats://h'}", nil, []string{"w.yaml:1: nats.embedded: is on, yet nats.url or nats.context names another server: want one of them"}},

		"appid":                     {"accounts: [{appid: a/b, secret_env: S}]", nil, []string{`w.yaml:1: accounts[0].appid: "a/b" is not an appid: want 1 to 64 of A-Z a-z 0-9 _ -`}},
		"no appid":                  {"accounts:\n- secret_env: S", nil, []string{"w.yaml:2: accounts[0].appid: is missing: every account has one"}},
		"appid twice":               {one + "  \n", []string{"WXENRICH_ACCOUNTS_1_APPID=wx1", "WXENRICH_ACCOUNTS_1_SECRET_ENV=S"}, []string{"WXENRICH_ACCOUNTS_1_APPID: accounts[1].appid: wx1 is accounts[0].appid too: want each account once"}},
		"no secret":                 {"accounts: [{appid: wx1}]", nil, []string{"w.yaml:1: accounts[0].secret_file: is missing: want secret_file or secret_env, since token.source is stable"}},
		"two secrets":               {"accounts: [{appid: wx1, secret_env: S, secret_file: S}]", nil, []string{"w.yaml:1: accounts[0].secret_env: is set beside secret_file: want one of them"}},
		"secret in place":           {"accounts: [{appid: wx1, secret_env: 0123456789abcdef0123456789abcdef}]", nil, []string{"w.yaml:1: accounts[0].secret_env: seems to hold the secret itself: want the name of a variable that holds it"}},
		"token file":                {"accounts: [{appid: wx1, token: {source: file}}]", nil, []string{"w.yaml:1: accounts[0].token.path: is missing: token.source is file"}},
		"token url":                 {"accounts: [{appid: wx1, secret_env: S, token: {url: 'http://h'}}]", nil, []string{"w.yaml:1: accounts[0].token.url: is set, yet token.source is stable: want source url"}},
		"token path":                {"accounts: [{appid: wx1, token: {source: url, url: 'http://127.0.0.1', token_path: ''}}]", nil, []string{"w.yaml:1: accounts[0].token.token_path: is empty: want the path of the token, such as access_token"}},
		"auth elsewhere":            {"accounts: [{appid: wx1, secret_env: S, token: {auth_env: S}}]", nil, []string{"w.yaml:1: accounts[0].token.auth_env: is set, yet token.source is stable: want source url"}},
		"shared file":               {"accounts: [{appid: wx1, token: {source: static_env, env: S, share: true}}]", nil, []string{"w.yaml:1: accounts[0].token.share: is true, yet token.source is static_env: want source stable or classic"}},
		"two auths":                 {"accounts: [{appid: wx1, token: {source: url, url: 'http://127.0.0.1', auth_env: S, auth_file: S}}]", nil, []string{"w.yaml:1: accounts[0].token.auth_env: is set beside token.auth_file: want one of them"}},
		"api":                       {"accounts: [{appid: wx1, secret_env: S, api: api.weixin.qq.com}]", nil, []string{"w.yaml:1: accounts[0].api: is not a URL: want one such as https://api.weixin.qq.com"}},
		"api's query":               {"accounts: [{appid: wx1, secret_env: S, api: 'https://h/?access_token=hush'}]", nil, []string{"w.yaml:1: accounts[0].api: has a query or fragment: want only scheme, host and path"}},
		"api's user":                {"accounts: [{appid: wx1, secret_env: S, api: 'https://u:hush@h'}]", nil, []string{"w.yaml:1: accounts[0].api: holds a user or password: want it without"}},
		"fallback":                  {"accounts: [{appid: wx1, secret_env: S, api_fallback: [api2.weixin.qq.com]}]", nil, []string{"w.yaml:1: accounts[0].api_fallback: is not a URL: want one such as https://api.weixin.qq.com"}},
		"fallback's user":           {"accounts: [{appid: wx1, secret_env: S, api_fallback: ['https://h', 'https://u:hush@h']}]", nil, []string{"w.yaml:1: accounts[0].api_fallback: holds a user or password: want it without"}},
		"fallback twice":            {"accounts: [{appid: wx1, secret_env: S, api_fallback: ['https://h', 'https://h']}]", nil, []string{"w.yaml:1: accounts[0].api_fallback: names a host that is asked anyway: want each once"}},
		"fallback is api":           {"accounts: [{appid: wx1, secret_env: S, api_fallback: 'https://api.weixin.qq.com'}]", nil, []string{"w.yaml:1: accounts[0].api_fallback: names a host that is asked anyway: want each once"}},
		"proxy":                     {"accounts: [{appid: wx1, secret_env: S, proxy: 'proxy:3128'}]", nil, []string{"w.yaml:1: accounts[0].proxy: is not a proxy: want one such as http://proxy.example:3128, or none"}},
		"proxy's path":              {"accounts: [{appid: wx1, secret_env: S, proxy: 'http://proxy/hush'}]", nil, []string{"w.yaml:1: accounts[0].proxy: is not a proxy: want one such as http://proxy.example:3128, or none"}},
		"proxy's password":          {"accounts: [{appid: wx1, secret_env: S, proxy: 'http://u:hush@proxy:3128'}]", nil, []string{"w.yaml:1: accounts[0].proxy: holds a user or password: want it without; for a proxy that asks for one leave it empty and set the variable HTTPS_PROXY"}},
		"proxy that cannot be read": {"accounts: [{appid: wx1, secret_env: S, proxy: 'http://u:h%ush@proxy:3128'}]", nil, []string{"w.yaml:1: accounts[0].proxy: is not a proxy: want one such as http://proxy.example:3128, or none"}},
		"no authorities":            {"accounts: [{appid: wx1, secret_env: S, ca_file: /no/such}]", nil, []string{"w.yaml:1: accounts[0].ca_file: /no/such: no such file or directory"}},
		"empty authorities":         {"accounts: [{appid: wx1, secret_env: S, ca_file: network.go}]", nil, []string{"w.yaml:1: accounts[0].ca_file: network.go holds no certificate in PEM"}},
		"proxies":                   {"accounts: [{appid: wx1, secret_env: S, proxy: none}, {appid: wx2, secret_env: S, proxy: 'socks5://h:1080'}, {appid: wx3, secret_env: S, proxy: 'http://h/'}]", nil, nil},
		"canary":                    {"accounts: [{appid: wx1, secret_env: S, canary_openid: short}]", nil, []string{"w.yaml:1: accounts[0].canary_openid: is not an openid: want 20 to 64 of A-Z a-z 0-9 _ -"}},
		"bulk share":                {"accounts: [{appid: wx1, secret_env: S, quota: {bulk_share: 0.3}}]", nil, []string{`w.yaml:1: accounts[0].quota.bulk_share: "0.3" is not a percentage: want one such as 30%`}},
		"quota":                     {"accounts: [{appid: wx1, secret_env: S, quota: {limit: -1}}]", nil, []string{`w.yaml:1: accounts[0].quota.limit: "-1" is neither auto nor a number above 0`}},
		"own window":                {"accounts: [{appid: wx1, secret_env: S, batch: {window: 2s}}]", nil, []string{"w.yaml:1: accounts[0].batch.window: 2s is more than batch.window_max, 1s"}},
		"class":                     {"accounts: [{appid: wx1, secret_env: S, errcodes: {45009: trasient}}]", nil, []string{`w.yaml:1: accounts[0].errcodes: 45009: "trasient" is no class: did you mean transient?`}},
		"class's kind":              {"accounts: [{appid: wx1, secret_env: S, errcodes: {tokn/1: bug, 0: bug, token/1: bad_openid}}]", nil, []string{`w.yaml:1: accounts[0].errcodes: 0: "0" is not an errcode: want one such as 45009, data/45009 or token/45009; token/1: class bad_openid is for data calls: no token endpoint can mean it; tokn/1: "tokn" is no kind of endpoint: did you mean token?`}},
		"class twice":               {"accounts: [{appid: wx1, secret_env: S, errcodes: {45009: transient, any/45009: operator, data/45009: bug}}]", nil, []string{`w.yaml:1: accounts[0].errcodes: any/45009: 45009 says the same errcode: keep one of them`}},
		"class by variable":         {one, []string{"WXENRICH_ACCOUNTS_0_ERRCODES=1=xyzzy"}, []string{`WXENRICH_ACCOUNTS_0_ERRCODES: accounts[0].errcodes: 1: "xyzzy" is no class: want one of unknown, transient, stale_token, bad_openid, not_following, batch_size, minute_limit, daily_quota, operator, permission, address, bug`}},
		"own memory":                {"accounts: [{appid: wx1, secret_env: S, recent: {memory: 1MB}}]", nil, []string{"w.yaml:1: accounts[0].recent.memory: is for the whole process: set recent.memory"}},
		"shared subject": {"input: {subject: a.subscribe, durable: 'd-{appid}'}\naccounts: [{appid: wx1, secret_env: S}, {appid: wx2, secret_env: S}]", nil,
			[]string{"w.yaml:1: accounts[1].input.subject: a.subscribe is accounts[0].input.subject too: a subject without {appid} belongs to one account"}},
		"shared durable": {"input: {durable: d}\naccounts: [{appid: wx1, secret_env: S}, {appid: wx2, secret_env: S}]", nil,
			[]string{"w.yaml:1: accounts[1].input.durable: WX_EVENTS/d is accounts[0].input.durable too: want {appid} in it, or one for each account"}},
		"one's own tail": {"input: {subject: 'wx.profiles.{appid}'}\n" + one, nil,
			[]string{"w.yaml:1: accounts[0].input.subject: wx.profiles.wx1 may be an answer's subject: the lane would feed itself"}},
		"one's own stream": {"input: {stream: WX_DEAD}\n" + one, nil,
			[]string{"w.yaml:1: accounts[0].input.stream: WX_DEAD is dead.stream too: want one of its own"}},

		"unknown variable": {"", []string{"WXENRICH_BATCH_WINDWO=1s"}, []string{"WXENRICH_BATCH_WINDWO: unknown variable: did you mean WXENRICH_BATCH_WINDOW?"}},
		"bad variable":     {"", []string{"WXENRICH_BATCH_WINDOW=1"}, []string{`WXENRICH_BATCH_WINDOW: batch.window: "1" has no unit: want a duration such as 100ms, 30s or 10m`}},
		"gap":              {"", []string{"WXENRICH_ACCOUNTS_1_APPID=wx1"}, []string{"accounts: WXENRICH_ACCOUNTS_1_… is set but no WXENRICH_ACCOUNTS_0_…: number the accounts from 0 without a gap"}},
		"allowed":          {"", []string{"WXENRICH_CONFIG=x", "WXENRICH_ACTIVE_HELP=0", "OTHER=1"}, nil},
		"all at once": {"batch: {size: 0, window: 1}\nmanage: never", nil, []string{
			`w.yaml:1: batch.window: "1" has no unit: want a duration such as 100ms, 30s or 10m`,
			"w.yaml:1: batch.size: 0 is too small: want at least 1",
			`w.yaml:2: manage: "never" is none of create, verify, bind`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := load(t, c.text, append(c.environ, "S=x")...)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if strings.Contains(strings.Join(got, ""), "hush") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Options{Path: filepath.Join(t.TempDir(), "none.yaml")})
	if err == nil || !strings.HasSuffix(err.Error(), "none.yaml: no such file or directory") {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	seed, handed := filepath.Join(dir, "group"), filepath.Join(dir, "handed")
	for _, path := range []string{seed, handed} {
		if err := os.WriteFile(path, []byte("x"), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 { // somebody else's, as Kubernetes mounts it
		if err := os.Chown(handed, 12345, os.Getegid()); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chmod(handed, 0o400); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"readable creds":  {"nats: {creds: " + open + "}", "nats.creds: " + open + " can be read by others (mode 0644): chmod 600 it"},
		"readable seed":   {"nats: {nkey: " + seed + "}", "nats.nkey: " + seed + " can be read by others (mode 0440): chmod 600 it"},
		"readable key":    {"nats: {tls_cert: " + open + ", tls_key: " + open + "}", "nats.tls_key: " + open + " can be read by others (mode 0644): chmod 600 it"},
		"readable token":  {"http: {token_file: " + open + "}", "http.token_file: " + open + " can be read by others (mode 0644): chmod 600 it"},
		"handed over":     {"nats: {creds: " + handed + "}", ""},
		"readable secret": {"accounts: [{appid: wx1, secret_file: " + open + "}]", "accounts[0].secret_file: " + open + " can be read by others (mode 0644): chmod 600 it"},
		"no secret file":  {"accounts: [{appid: wx1, secret_file: " + dir + "/none}]", "accounts[0].secret_file: " + dir + "/none: no such file or directory"},
		"pushes only":     {"accounts: [{appid: wx1, push: {token_env: S}}]", `accounts[0].secret_file: is missing: "wxenrich gateway" does without, "wxenrich run" does not`},
		"no variable":     {"accounts: [{appid: wx1, secret_env: NONE}]", "accounts[0].secret_env: the variable NONE is not set"},
		"clear text":      {"accounts: [{appid: wx1, secret_env: S, api: 'http://example.org'}]", "accounts[0].api: is http: secret and token travel in clear text"},
		"unused secret":   {"accounts: [{appid: wx1, secret_env: S, token: {source: static_env, env: S}}]", "accounts[0].token.source: is static_env: the account's secret is not used"},
		"few acks":        {"accounts: [{appid: wx1, secret_env: S, input: {max_ack_pending: 300}}]", "accounts[0].input.max_ack_pending: 300 is less than batch.size × (concurrency + 1) = 500: batches will not fill"},
		"password in url": {"nats: {url: 'nats://u:hush@h'}", "nats.url: holds a password: rather use nats.user and nats.password_file"},
		"open server":     {"nats: {embedded: true, store_dir: d, listen: '0.0.0.0:4222'}", "nats.listen: 0.0.0.0:4222 can be reached from other machines, and the embedded server asks nobody for a password"},
		"open profiles":   {"http: {pprof: '0.0.0.0:6060'}", "http.pprof: 0.0.0.0:6060 can be reached from other machines, and profiles show what is in memory"},
		"loopback":        {"accounts: [{appid: wx1, secret_env: S, api: 'http://127.0.0.1:1'}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, faults := load(t, c.text, "S=x")
			if faults != nil {
				t.Fatal(faults)
			}
			var got []string
			for _, w := range cfg.Warnings {
				w.Where = ""
				got = append(got, w.Error())
			}
			if s := strings.Join(got, "\n"); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}
