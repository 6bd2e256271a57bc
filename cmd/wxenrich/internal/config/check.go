package config

import (
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// check looks at the values one by one, then at what they say together.
func (l *loader) check(needAccounts bool) {
	leaves(reflect.ValueOf(l.cfg).Elem(), "", func(f leaf) {
		if l.said(f.path) {
			l.bounds(f)
		}
	})
	c := l.cfg
	l.checkNATS()
	l.checkInput("", c.Input)
	l.checkBatch("", c.Batch, c.Input)
	l.checkRetry("", c.Retry)
	l.checkAnswers()
	l.checkErase()
	l.checkGateway()
	l.checkStorage("input", c.Input.Storage)
	l.checkStorage("erase", c.Erase.Storage)
	l.checkStorage("crawls", c.Crawls.Storage)
	if b := c.State.Bucket; b != "" && !events.ValidAppID(b) {
		l.wrong("state.bucket", "%q is not 1 to 64 of A-Z a-z 0-9 _ -", b)
	}
	l.address("http.listen", c.HTTP.Listen)
	l.address("http.pprof", c.HTTP.PProf)
	if host, _, err := net.SplitHostPort(c.HTTP.PProf); err == nil && !loopback(host) {
		l.warn("http.pprof", "%s can be reached from other machines, and profiles show what is in memory", c.HTTP.PProf)
	}
	l.checkSecretFile("http.token_file", c.HTTP.TokenFile)
	if needAccounts && len(c.Accounts) == 0 && len(l.faults) == 0 {
		l.fault("accounts", "", "there is none: write one into %s (\"wxenrich config init\" does), or set %s", DefaultFile, Variable("accounts[0].appid"))
	}
	for i := range c.Accounts {
		l.checkAccount(accountPath(i), &c.Accounts[i])
	}
	l.checkShared()
}

// said is false for an account's copy of a general value, which would only be
// reported again.
func (l *loader) said(path string) bool {
	if _, ok := l.cfg.origins[path]; ok {
		return true
	}
	return !strings.HasPrefix(path, "accounts[")
}

// bounds checks the choices and limits in the tags.
func (l *loader) bounds(f leaf) {
	if one, ok := f.tag.Lookup("one"); ok && !slices.Contains(strings.Split(one, "|"), text(f.value)) {
		l.wrong(f.path, "%q is none of %s", text(f.value), strings.ReplaceAll(one, "|", ", "))
		return
	}
	bound := func(name string) (reflect.Value, string, bool) {
		s, ok := f.tag.Lookup(name)
		v := reflect.New(f.value.Type()).Elem()
		return v, s, ok && parse(v, s) == nil
	}
	if low, s, ok := bound("min"); ok && less(f.value, low) {
		l.wrong(f.path, "%s is too small: want at least %s", text(f.value), s)
	}
	if high, s, ok := bound("max"); ok && less(high, f.value) {
		l.wrong(f.path, "%s is too big: want at most %s", text(f.value), s)
	}
}

func (l *loader) checkNATS() {
	n := l.cfg.NATS
	for u := range strings.SplitSeq(n.URL, ",") {
		if p, err := url.Parse(strings.TrimSpace(u)); err != nil {
			l.wrong("nats.url", "is not a URL: want one such as nats://127.0.0.1:4222")
		} else if _, ok := p.User.Password(); ok {
			l.warn("nats.url", "holds a password: rather use nats.user and nats.password_file")
		}
	}
	if (n.TLSCert == "") != (n.TLSKey == "") {
		l.wrong("nats.tls_cert", "want both nats.tls_cert and nats.tls_key, or neither")
	}
	if (n.User == "") != (n.PasswordFile == "") {
		l.wrong("nats.user", "want both nats.user and nats.password_file, or neither")
	}
	if n.InboxPrefix != "" {
		l.template("nats.inbox_prefix", n.InboxPrefix)
	}
	for _, f := range [][2]string{{"creds", n.Creds}, {"nkey", n.NKey}, {"password_file", n.PasswordFile}, {"token_file", n.TokenFile}, {"tls_key", n.TLSKey}} {
		l.checkReaders("nats."+f[0], f[1])
	}
	if !n.Embedded {
		return
	}
	if n.StoreDir == "" {
		l.wrong("nats.store_dir", "is empty: nats.embedded wants a folder to keep the streams in")
	}
	if l.where("nats.url") != "" || n.Context != "" {
		l.wrong("nats.embedded", "is on, yet nats.url or nats.context names another server: want one of them")
	}
	l.address("nats.listen", n.Listen)
	if host, _, err := net.SplitHostPort(n.Listen); err == nil && !loopback(host) {
		l.warn("nats.listen", "%s can be reached from other machines, and the embedded server asks nobody for a password", n.Listen)
	}
}

func (l *loader) checkInput(path string, in Input) {
	p := func(key string) string { return join(path, "input."+key) }
	l.stream(p("stream"), in.Stream)
	if len(in.Subject) == 0 {
		l.wrong(p("subject"), "is empty: want a subject such as wx.events.{appid}.subscribe")
	}
	for _, s := range in.Subject {
		l.template(p("subject"), s, "appid")
	}
	if l.template(p("durable"), in.Durable, "appid") && !events.ValidStreamName(in.Durable) {
		l.wrong(p("durable"), "%q cannot name a consumer: no dots, spaces, *, > or slashes", in.Durable)
	}
	if in.DurableStorage == "memory" && (l.cfg.State.Bucket == "" || l.cfg.Manage != string(events.Create)) {
		l.wrong(p("durable_storage"), "is memory: want a state.bucket and manage: create, since a restart of the server forgets the consumer")
	}
	switch in.Start {
	case "", "new", "all":
	default:
		if _, err := time.Parse(time.RFC3339, in.Start); err != nil {
			l.wrong(p("start"), "%q is none of new, all and a time such as 2026-01-31T08:00:00+08:00", in.Start)
		}
	}
	d := events.Decoder{AppID: "x", Fields: in.Fields}
	if err := d.Validate(); err != nil {
		l.wrong(p("fields"), "%s", unprefixed(err))
	}
}

func (l *loader) checkBatch(path string, b Batch, in Input) {
	p := func(key string) string { return join(path, "batch."+key) }
	if b.Window > b.WindowMax {
		l.wrong(p("window"), "%v is more than batch.window_max, %v", b.Window, b.WindowMax)
	}
	if b.WindowMax >= in.AckWait {
		l.wrong(p("window_max"), "%v is not below input.ack_wait, %v: events would be delivered again while they wait", b.WindowMax, in.AckWait)
	}
}

func (l *loader) checkRetry(path string, r Retry) {
	if r.Initial > r.Max {
		l.wrong(join(path, "retry.initial"), "%v is more than retry.max, %v", r.Initial, r.Max)
	}
}

func (l *loader) checkErase() {
	e, c := l.cfg.Erase, l.cfg.Crawls
	if b := e.Bucket; b != "" && !events.ValidAppID(b) {
		l.wrong("erase.bucket", "%q is not 1 to 64 of A-Z a-z 0-9 _ -", b)
	}
	if e.Bucket == "" && e.Unsubscribed {
		l.wrong("erase.unsubscribed", "is on, and erase.bucket is empty: it would not be kept who is erased")
	}
	if e.Bucket != "" && e.Bucket == l.cfg.State.Bucket {
		l.wrong("erase.bucket", "%s is state.bucket too: want one of its own", e.Bucket)
	}
	l.stream("erase.stream", e.Stream)
	l.template("erase.subject", e.Subject, "appid")
	l.stream("crawls.stream", c.Stream)
	if l.template("crawls.subject", c.Subject, "appid") && !strings.Contains(c.Subject, "{appid}") {
		l.wrong("crawls.subject", "%s has no {appid}: the lists of several accounts would be one", c.Subject)
	}
	for _, in := range append([]Input{l.cfg.Input}, inputs(l.cfg.Accounts)...) {
		if e.Unsubscribed && !strings.Contains(strings.Join(in.Subject, " "), "unsubscribe") {
			l.warn("erase.unsubscribed", "is on, and input.subject has none for unsubscribe events: add one such as wx.events.{appid}.unsubscribe")
			break
		}
	}
}

func inputs(accounts []Account) []Input {
	all := make([]Input, len(accounts))
	for i := range accounts {
		all[i] = accounts[i].Input
	}
	return all
}

func (l *loader) checkStorage(path string, s Storage) {
	if s.MaxAge > 0 && s.Duplicates > s.MaxAge {
		l.wrong(path+".duplicates", "%v is more than %s.max_age, %v: the server refuses that", s.Duplicates, path, s.MaxAge)
	}
}

// stream checks the name of a stream, or the template for it.
func (l *loader) stream(path, name string) {
	if l.template(path, name, "appid") && !events.ValidStreamName(name) {
		l.wrong(path, "%q cannot name a stream: no dots, spaces, *, > or slashes", name)
	}
}

func (l *loader) template(path, s string, allowed ...string) bool {
	_, err := events.ParseTemplate(s, allowed...)
	if err != nil {
		l.wrong(path, "%s", unprefixed(err))
	}
	return err == nil
}

func (l *loader) address(path, s string) {
	if s == "" {
		return
	}
	_, port, err := net.SplitHostPort(s)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n > 65535 {
		l.wrong(path, "%q is not an address: want one such as 127.0.0.1:9464", s)
	}
}

// overlap says whether two templates can expand to the same subject: a token
// with a variable in it can be anything.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] != bs[i] && !strings.Contains(as[i]+bs[i], "{") {
			return false
		}
	}
	return true
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// unprefixed takes the package's name from an error that a person reads beside
// the key it is about.
func unprefixed(err error) string { return strings.TrimPrefix(err.Error(), "events: ") }
