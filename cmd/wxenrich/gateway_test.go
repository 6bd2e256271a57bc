package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

const (
	pushToken  = "canary-of-the-push-token"
	pushAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// pushWorld is a world whose account has a push token and a key.
func pushWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), pushToken+"\n")
	write(t, filepath.Join(dir, "key"), pushAESKey+"\nGFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba\n")
	w.environ = append(w.environ,
		"WXENRICH_GATEWAY_LISTEN="+freePort(t), "WXENRICH_GATEWAY_HTTP_LISTEN="+freePort(t),
		"WXENRICH_ACCOUNTS_0_PUSH_TOKEN_FILE="+filepath.Join(dir, "token"), "WXENRICH_ACCOUNTS_0_PUSH_AES_KEY_FILE="+filepath.Join(dir, "key"))
	return w
}

func (w *world) setting(name string) string {
	return (&app{streams: streams{environ: w.environ}}).getenv(name)
}

// pushFollow sends a follow to the gateway as WeChat does, and returns the answer.
func (w *world) pushFollow(t *testing.T, openid string) string {
	t.Helper()
	return w.pushAs(t, testAppID, pushToken, openid)
}

// pushAs is the same of an account that may be another.
func (w *world) pushAs(t *testing.T, appid, token, openid string) string {
	t.Helper()
	key, err := push.ParseKey(pushAESKey)
	if err != nil {
		t.Fatal(err)
	}
	p := push.Pusher{AppID: appid, Token: wechat.Secret(token), Key: key, Mode: push.SafeMode, Random: rand.Reader}
	values, body, err := p.Push(fmt.Appendf(nil, "<xml><ToUserName>gh_1</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType>event</MsgType><Event>subscribe</Event></xml>", openid, time.Now().Unix()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, http.DefaultClient, "http://"+w.setting("WXENRICH_GATEWAY_LISTEN")+"/wechat/"+appid, values, string(body))
}

// fetch GETs, or POSTs a body that is not empty.
func fetch(t *testing.T, client *http.Client, address string, query url.Values, body string) string {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// From WeChat's push to the stream, and all that an operator sees of it.
func TestGateway(t *testing.T) {
	t.Parallel()
	w := pushWorld(t)
	b := w.background(t, "gateway", "--log-level", "debug")
	b.out.waitFor("gateway is running")
	openid := w.account.OpenID(7)
	if got := w.pushFollow(t, openid); got != "success" {
		t.Errorf("answer %q", got)
	}
	all := stored(t, w.nats.JetStream())
	if len(all) != 1 || all[0].Subject() != "wx.events."+testAppID+".subscribe" || !strings.Contains(string(all[0].Data()), openid) ||
		all[0].Headers().Get(events.HeaderContentType) != "text/xml" {
		t.Fatalf("stored: %v", all)
	}
	admin := "http://" + w.setting("WXENRICH_GATEWAY_HTTP_LISTEN")
	if got := fetch(t, http.DefaultClient, admin+"/readyz", nil, ""); got != "{\"ready\":true}\n" {
		t.Errorf("readyz: %s", got)
	}
	if got := fetch(t, http.DefaultClient, "http://"+w.setting("WXENRICH_GATEWAY_LISTEN")+"/wechat", nil, "junk"); got != "malformed\n" {
		t.Errorf("junk: %q", got)
	}
	metrics := fetch(t, http.DefaultClient, admin+"/metrics", nil, "")
	for _, want := range []string{
		`wxenrich_pushes_total{appid="` + testAppID + `",`, `outcome="stored"`, `wxenrich_pushes_refused_total{appid="` + testAppID + `",`, `reason="malformed"`,
		`wxenrich_push_duration_seconds_count{appid="` + testAppID + `"`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s:\n%s", want, metrics)
		}
	}
	for _, path := range readmes {
		mentioned(t, path, regexp.MustCompile(`(?m)^wxenrich_push\w*?(?:_total|_seconds)`).FindAllString(metrics, -1))
	}
	if code := b.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	log := b.out.String()
	for _, secret := range []string{pushToken, pushAESKey, testSecret} {
		if strings.Contains(log+metrics, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	if strings.Contains(metrics, openid) {
		t.Error("an openid is in the metrics")
	}
}

// A gateway that starts without NATS and has a spool takes pushes at once.
func TestGatewaySpool(t *testing.T) {
	t.Parallel()
	w := pushWorld(t)
	w.environ = append(w.environ, "WXENRICH_GATEWAY_SPOOL_DIR="+filepath.Join(t.TempDir(), "spool"))
	w.nats.Stop()
	b := w.background(t, "gateway")
	b.out.waitFor("taking WeChat's pushes")
	openid := w.account.OpenID(7)
	if got := w.pushFollow(t, openid); got != "success" {
		t.Errorf("answer %q", got)
	}
	second := append(slices.Clone(w.environ), "WXENRICH_GATEWAY_HTTP_LISTEN=")
	wxenrich(t, second, "", "gateway").want(t, 2, "", "in use by another process")
	metrics := fetch(t, http.DefaultClient, "http://"+w.setting("WXENRICH_GATEWAY_HTTP_LISTEN")+"/metrics", nil, "")
	if !regexp.MustCompile(`(?m)^wxenrich_spool_pushes 1$`).MatchString(metrics) {
		t.Errorf("the metrics do not say that one push waits:\n%s", metrics)
	}
	w.nats.Start()
	b.out.waitFor("the spool is empty again")
	if all := stored(t, w.nats.JetStream()); len(all) != 1 || !strings.Contains(string(all[0].Data()), openid) {
		t.Errorf("stored: %v", all)
	}
	metrics = fetch(t, http.DefaultClient, "http://"+w.setting("WXENRICH_GATEWAY_HTTP_LISTEN")+"/metrics", nil, "")
	for _, path := range readmes {
		mentioned(t, path, regexp.MustCompile(`(?m)^wxenrich_(?:spool|push)\w*?(?:_total|_seconds|_bytes|spool_pushes)`).FindAllString(metrics, -1))
	}
	if code := b.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The whole circle, two accounts that share a path: somebody follows, WeChat
// pushes, the gateway stores, the service looks up.
func TestGatewayCircle(t *testing.T) {
	t.Parallel()
	w := &world{nats: eventstest.NewServer(t)}
	listen := freePort(t)
	sim := w.background(t, "simulate", "--listen", "127.0.0.1:0", "--appid", "wxa", "--appid", "wxb", "--followers", "3",
		"--push", "http://"+listen+"/wechat", "--push-rate", "200", "--push-mode", "compatible")
	path := filepath.Join(t.TempDir(), "wxenrich.yaml")
	write(t, path, sim.out.waitFor("# wxb: 3 followers")+
		"\nnats: {url: '"+w.nats.URL()+"'}\ngateway: {listen: '"+listen+"', http_listen: ''}\nhttp: {listen: ''}\n"+
		"input: {subject: ['wx.events.{appid}.subscribe', 'wx.events.{appid}.unsubscribe']}\n")
	w.environ = []string{"WXENRICH_CONFIG=" + path, "WXENRICH_INPUT_START=all", "WX_SIM_SECRET=simulated-secret", "WX_SIM_PUSH_TOKEN=" + simulatedPushToken, "WX_SIM_PUSH_KEY=" + simulatedPushKey}
	wxenrich(t, w.environ, "", "config", "check").want(t, 0, "fine: 2 accounts, 0 warnings", "")
	gw := w.background(t, "gateway")
	gw.out.waitFor("gateway is running")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	sim.out.waitFor("# wxb: verified ")
	awaited := map[string]bool{"wxa following": true, "wxb following": true, "wxa unsubscribed": true, "wxb unsubscribed": true}
	for n := 60; len(awaited) > 0; n *= 2 { // what people do is left to chance
		if n > 10_000 {
			t.Fatalf("no records of %v", awaited)
		}
		for _, m := range messages(t, w.nats.JetStream(), "WX_PROFILES", n) {
			delete(awaited, m.Headers().Get(events.HeaderAppID)+" "+m.Headers().Get(events.HeaderStatus))
		}
	}
	for _, b := range []*background{sim, gw, service} {
		if code := b.end(); code != 0 {
			t.Errorf("exit code %d\n%s", code, b.out.String())
		}
	}
}

func TestGatewayUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "gateway").want(t, 2, "", "no account has push.token_file or push.token_env")
	w.environ = append(w.environ, "WXENRICH_ACCOUNTS_0_PUSH_TOKEN_ENV=PUSH_TOKEN")
	w.run(t, "", "gateway").want(t, 2, "", "push.token_env: the variable PUSH_TOKEN is not set")
	w.environ = append(w.environ, "PUSH_TOKEN="+pushToken, "WXENRICH_ACCOUNTS_0_PUSH_AES_KEY_ENV=PUSH_KEY", "PUSH_KEY=short")
	w.run(t, "", "gateway").want(t, 2, "", "push.aes_key: an EncodingAESKey has 43 characters, this has 5")
	// A stream that some events would miss.
	full := pushWorld(t)
	js := full.nats.JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.*.subscribe"}}); err != nil {
		t.Fatal(err)
	}
	full.run(t, "", "gateway").want(t, 2, "", "subjects is wx.events.*.subscribe, want wx.events."+testAppID+".*")
}

// The certificate of a gateway without a proxy, and its successor.
func TestGatewayTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, cert, key, 1, time.Now().Add(-time.Minute))
	log := slog.New(slog.DiscardHandler)
	s, err := startGateway(config.Gateway{Listen: freePort(t), Path: "/", TLSCert: cert, TLSKey: key}, http.NotFoundHandler(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(time.Second) })
	serial := func() int64 {
		t.Helper()
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the certificate is looked at below
		c, err := d.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial number %d", got)
	}
	write(t, cert, "half of it")
	if got := serial(); got != 1 {
		t.Errorf("serial number %d after a broken file", got)
	}
	issue(t, cert, key, 2, time.Now().Add(time.Minute))
	if got := serial(); got != 2 {
		t.Errorf("serial number %d after the renewal", got)
	}
	if _, err := startGateway(config.Gateway{Listen: "127.0.0.1:0", TLSCert: key, TLSKey: key}, nil, log); err == nil {
		t.Error("a certificate that is none")
	}
}

// issue writes a certificate, changed at a time.
func issue(t *testing.T, cert, key string, serial int64, changed time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if err := os.Chtimes(cert, changed, changed); err != nil {
		t.Fatal(err)
	}
}
