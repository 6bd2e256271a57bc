package config

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wxenrich/wxenrich/events"
)

// checkAccount checks one account without its neighbours.
func (l *loader) checkAccount(path string, a *Account) {
	p := func(key string) string { return join(path, key) }
	switch {
	case a.AppID == "":
		l.wrong(p("appid"), "is missing: every account has one")
	case !events.ValidAppID(a.AppID):
		l.wrong(p("appid"), "%q is not an appid: want 1 to 64 of A-Z a-z 0-9 _ -", a.AppID)
	}
	l.checkToken(path, a)
	l.checkPush(path, a)
	l.checkURL(p("api"), a.API, false)
	for i, s := range a.APIFallback {
		l.checkURL(p("api_fallback"), s, false)
		if s == a.API || slices.Contains(a.APIFallback[:i], s) {
			l.wrong(p("api_fallback"), "names a host that is asked anyway: want each once")
		}
	}
	if _, err := a.ProxyURL(); err != nil {
		l.wrong(p("proxy"), "%v", err)
	}
	if _, err := a.Authorities(); err != nil {
		l.wrong(p("ca_file"), "%v", err)
	}
	if _, err := a.Overrides(); err != nil {
		l.wrong(p("errcodes"), "%v", err)
	}
	if a.CanaryOpenID != "" && !events.ValidOpenID(a.CanaryOpenID) {
		l.wrong(p("canary_openid"), "is not an openid: want 20 to 64 of A-Z a-z 0-9 _ -")
	}
	// The general sections are checked once; an account's only if it has any.
	if l.overrides(path, "input") {
		l.checkInput(path, a.Input)
		l.checkStorage(p("input"), a.Input.Storage)
	}
	if l.overrides(path, "batch") || l.overrides(path, "input") {
		l.checkBatch(path, a.Batch, a.Input)
	}
	if l.overrides(path, "retry") {
		l.checkRetry(path, a.Retry)
	}
	if _, ok := l.cfg.origins[p("recent.memory")]; ok {
		l.wrong(p("recent.memory"), "is for the whole process: set recent.memory")
	}
	if n := a.Batch.Size * (a.Concurrency + 1); a.Input.MaxAckPending > 0 && a.Input.MaxAckPending < n {
		l.warn(p("input.max_ack_pending"), "%d is less than batch.size × (concurrency + 1) = %d: batches will not fill", a.Input.MaxAckPending, n)
	}
}

// overrides says whether the account itself sets anything of a section.
func (l *loader) overrides(path, section string) bool {
	if l.sections == nil { // once: there may be a thousand accounts
		l.sections = make(map[string]bool)
		for p := range l.cfg.origins {
			if parts := strings.SplitN(p, ".", 3); len(parts) == 3 {
				l.sections[parts[0]+"."+parts[1]] = true
			}
		}
	}
	return l.sections[path+"."+section]
}

func (l *loader) checkToken(path string, a *Account) {
	p := func(key string) string { return join(path, key) }
	ours := a.Token.Source == "stable" || a.Token.Source == "classic"
	known := ours || a.Token.Path+a.Token.URL+a.Token.Env != ""
	secrets := a.SecretFile != "" || a.SecretEnv != ""
	switch {
	case a.PushOnly():
		l.warn(p("secret_file"), "is missing: \"wxenrich gateway\" does without, \"wxenrich run\" does not")
	case ours && !secrets:
		l.wrong(p("secret_file"), "is missing: want secret_file or secret_env, since token.source is %s", a.Token.Source)
	case a.SecretFile != "" && a.SecretEnv != "":
		l.wrong(p("secret_env"), "is set beside secret_file: want one of them")
	case known && !ours && secrets:
		l.warn(p("token.source"), "is %s: the account's secret is not used", a.Token.Source)
	}
	l.checkSecretFile(p("secret_file"), a.SecretFile)
	l.checkVariable(p("secret_env"), a.SecretEnv)
	for _, f := range []struct{ source, key, value string }{
		{"file", "token.path", a.Token.Path}, {"url", "token.url", a.Token.URL}, {"static_env", "token.env", a.Token.Env},
	} {
		switch {
		case a.Token.Source == f.source && f.value == "":
			l.wrong(p(f.key), "is missing: token.source is %s", f.source)
		case a.Token.Source != f.source && f.value != "":
			l.wrong(p(f.key), "is set, yet token.source is %s: want source %s", a.Token.Source, f.source)
		}
	}
	if a.Token.URL != "" {
		l.checkURL(p("token.url"), a.Token.URL, true)
	}
	if a.Token.Share == "true" && !ours {
		l.wrong(p("token.share"), "is true, yet token.source is %s: want source stable or classic", a.Token.Source)
	}
	l.checkSecretFile(p("token.path"), a.Token.Path)
	l.checkVariable(p("token.env"), a.Token.Env)
	l.checkTokenURL(path, a)
}

// checkTokenURL checks what belongs to source url alone.
func (l *loader) checkTokenURL(path string, a *Account) {
	p := func(key string) string { return join(path, "token."+key) }
	for _, f := range [][2]string{{"auth_file", a.Token.AuthFile}, {"auth_env", a.Token.AuthEnv}} {
		if f[1] != "" && a.Token.Source != "url" {
			l.wrong(p(f[0]), "is set, yet token.source is %s: want source url", a.Token.Source)
		}
	}
	if a.Token.AuthFile != "" && a.Token.AuthEnv != "" {
		l.wrong(p("auth_env"), "is set beside token.auth_file: want one of them")
	}
	if a.Token.TokenPath == "" {
		l.wrong(p("token_path"), "is empty: want the path of the token, such as access_token")
	}
	l.checkSecretFile(p("auth_file"), a.Token.AuthFile)
	l.checkVariable(p("auth_env"), a.Token.AuthEnv)
}

// checkSecretFile warns only: one account without its secret is that account's
// trouble, and the file may be mounted later.
func (l *loader) checkSecretFile(path, name string) {
	if name == "" {
		return
	}
	if LooksSecret(name) {
		l.wrong(path, "seems to hold the secret itself: want the name of a file that holds it")
		return
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		l.warn(path, "%s: %v", name, plain(err))
	case info.IsDir():
		l.wrong(path, "%s is a folder: want a file", name)
	default:
		l.checkReaders(path, name)
	}
}

// checkReaders warns of a secret that others can read. A file that is missing
// is for whoever needs it.
func (l *loader) checkReaders(path, name string) {
	if problem := Exposed(name); problem != "" {
		l.warn(path, "%s", problem)
	}
}

// Exposed says of a file with a secret that others can read it; empty if they
// cannot, or there is none.
func Exposed(name string) string {
	if info, err := os.Stat(name); name != "" && err == nil && othersMayRead(info) {
		return fmt.Sprintf("%s can be read by others (mode %04o): chmod 600 it", name, info.Mode().Perm())
	}
	return ""
}

func (l *loader) checkVariable(path, name string) {
	switch {
	case name == "":
	case LooksSecret(name):
		l.wrong(path, "seems to hold the secret itself: want the name of a variable that holds it")
	case l.environ[name] == "":
		l.warn(path, "the variable %s is not set", name)
	}
}

// checkURL checks an http or https URL. The text of a URL is never repeated: it
// may hold a password.
func (l *loader) checkURL(path, s string, query bool) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		l.wrong(path, "is not a URL: want one such as https://api.weixin.qq.com")
	case u.User != nil:
		l.wrong(path, "holds a user or password: want it without")
	case !query && (u.RawQuery != "" || u.Fragment != ""):
		l.wrong(path, "has a query or fragment: want only scheme, host and path")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		l.warn(path, "is http: secret and token travel in clear text")
	}
}

// checkShared finds accounts that would get in each other's way.
func (l *loader) checkShared() {
	appids, subjects, durables := map[string]string{}, map[string]string{}, map[string]string{}
	once := func(seen map[string]string, key, path, what string) bool {
		first, again := seen[key]
		if again {
			l.wrong(path, "%s is %s too: %s", key, first, what)
		} else {
			seen[key] = path
		}
		return !again
	}
	for _, a := range l.kept() {
		as, in := filepath.Base(a.file)+" as it runs", a.Resolve()
		appids[a.AppID], durables[in.Stream+"/"+in.Durable] = as, as
		for _, s := range in.Subjects {
			subjects[s] = as
		}
	}
	for _, i := range l.byAge() {
		a, path := &l.cfg.Accounts[i], accountPath(i)
		if !events.ValidAppID(a.AppID) || !once(appids, a.AppID, path+".appid", "want each account once") {
			continue
		}
		in := a.Resolve()
		for _, s := range in.Subjects {
			once(subjects, s, path+".input.subject", "a subject without {appid} belongs to one account")
		}
		once(durables, in.Stream+"/"+in.Durable, path+".input.durable", "want {appid} in it, or one for each account")
		if s := l.outputStream(a, in.Stream); s != "" {
			l.wrong(path+".input.stream", "%s is %s too: want one of its own", in.Stream, s)
		}
		for _, s := range in.Subjects {
			if l.cfg.answerSubject(s) {
				l.wrong(path+".input.subject", "%s may be an answer's subject: the lane would feed itself", s)
			}
		}
	}
}

// kept are the accounts that stay as they run, since something is wrong with
// their files.
func (l *loader) kept() (kept []*Account) {
	if l.running == nil {
		return nil
	}
	for i := range l.running.Accounts {
		if a := &l.running.Accounts[i]; l.leaveOut[a.file] {
			kept = append(kept, a)
		}
	}
	return kept
}

// byAge are the accounts by their places, those first that are in effect where
// they stand: of two that get in each other's way the newcomer is at fault.
func (l *loader) byAge() (old []int) {
	running := map[string]string{} // where they stand, by appid
	if l.running != nil {
		for i := range l.running.Accounts {
			running[l.running.Accounts[i].AppID] = l.running.Accounts[i].file
		}
	}
	var late []int
	for i := range l.cfg.Accounts {
		a := &l.cfg.Accounts[i]
		if file, known := running[a.AppID]; known && file == a.file {
			old = append(old, i)
		} else {
			late = append(late, i)
		}
	}
	return append(old, late...)
}

func (l *loader) outputStream(a *Account, name string) string {
	for _, p := range l.cfg.answers() {
		if name == a.expand(p.stream) {
			return p.path + ".stream"
		}
	}
	return ""
}

// LooksSecret says whether s has the shape of an AppSecret, 32 hexadecimal
// digits, or of an EncodingAESKey, 43 letters and digits. Whoever writes it
// where a name belongs must not see it repeated.
func LooksSecret(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 || aesKeyShape.MatchString(s)
}

var aesKeyShape = regexp.MustCompile(`^[A-Za-z0-9]{43}$`)
