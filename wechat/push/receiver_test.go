package push_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

const otherKey = wechat.Secret("GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba")

var noon = time.Unix(1_700_000_000, 0)

func refused(t testing.TB, err error, want push.Reason) {
	t.Helper()
	r, ok := errors.AsType[*push.Refusal](err)
	if !ok || r.Reason != want {
		t.Errorf("error %v, want a refusal: %s", err, want)
	}
	if !slices.Contains(push.Reasons(), want) {
		t.Errorf("%s is not among Reasons()", want)
	}
}

func pusher(t testing.TB, mode push.Mode) *push.Pusher {
	t.Helper()
	return &push.Pusher{AppID: sampleAppID, Token: sampleToken, Key: key(t, sampleKey), Mode: mode, Random: rand.Reader}
}

// follow is an event as WeChat sends it.
func follow(openid, extra string) string {
	return "<xml><ToUserName><![CDATA[" + sampleTo + "]]></ToUserName>\n<FromUserName><![CDATA[" + openid + "]]></FromUserName>\n" +
		"<CreateTime>1700000000</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[subscribe]]></Event>" + extra + "</xml>"
}

const somebody = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"

// send is a push on its way: made by p, opened by r.
func send(t testing.TB, p *push.Pusher, r *push.Receiver, message string, at time.Time) (*push.Message, error) {
	t.Helper()
	values, body, err := p.Push([]byte(message), at)
	if err != nil {
		t.Fatal(err)
	}
	return receive(t, r, values, body)
}

func receive(t testing.TB, r *push.Receiver, values url.Values, body []byte) (*push.Message, error) {
	t.Helper()
	q, err := push.ParseQuery(values)
	if err != nil {
		return nil, err
	}
	e, err := push.ParseEnvelope(body)
	if err != nil {
		return nil, err
	}
	return r.Open(q, e, noon)
}

var modes = []push.Mode{push.PlainMode, push.CompatibleMode, push.SafeMode}

func TestModes(t *testing.T) {
	t.Parallel()
	r := receiver(t, sampleConfig(t))
	ids := map[string]bool{}
	for _, mode := range modes {
		m, err := send(t, pusher(t, mode), r, follow(somebody, "<EventKey><![CDATA[qrscene_7]]></EventKey>"), noon)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if m.From != somebody || m.Kind() != "subscribe" || !m.IsEvent() || m.Encrypted != (mode != push.PlainMode) {
			t.Errorf("%s: %+v", mode, m)
		}
		ids[m.ID()] = true
	}
	if len(ids) != 1 {
		t.Errorf("one event has the ids %v", ids)
	}
	// A plain push may come before anybody has set a key.
	cfg := sampleConfig(t)
	cfg.Keys = nil
	for _, mode := range modes {
		_, err := send(t, pusher(t, mode), receiver(t, cfg), follow(somebody, ""), noon)
		if mode == push.SafeMode {
			refused(t, err, push.NoKey)
		} else if err != nil {
			t.Errorf("%s without a key: %v", mode, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r, p := receiver(t, sampleConfig(t)), pusher(t, mode)
			fails := func(p *push.Pusher, message string, at time.Time, want push.Reason) {
				t.Helper()
				_, err := send(t, p, r, message, at)
				refused(t, err, want)
			}
			forger := pusher(t, mode)
			forger.Token = "another"
			fails(forger, follow(somebody, ""), noon, push.BadSignature)
			fails(p, follow(somebody, ""), noon.Add(-5*time.Minute-time.Second), push.Stale)
			fails(p, follow(somebody, ""), noon.Add(5*time.Minute+time.Second), push.Stale)
			fails(p, strings.Replace(follow(somebody, ""), sampleTo, "gh_somebodyelse", 1), noon, push.WrongAccount)
			fails(p, strings.Replace(follow(somebody, ""), "MsgType", "InfoType", 2), noon, push.Malformed)
			if _, err := send(t, p, r, follow(somebody, ""), noon.Add(-4*time.Minute)); err != nil {
				t.Error(err)
			}
			if mode == push.PlainMode {
				return
			}
			stranger := pusher(t, mode)
			stranger.AppID = "wxanother"
			fails(stranger, follow(somebody, ""), noon, push.WrongAccount)
			rekeyed := pusher(t, mode)
			rekeyed.Key = key(t, otherKey)
			fails(rekeyed, follow(somebody, ""), noon, push.Undecryptable)

			values, body, err := p.Push([]byte(follow(somebody, "")), noon)
			if err != nil {
				t.Fatal(err)
			}
			_, other, err := p.Push([]byte(follow(somebody, "")), noon)
			if err != nil {
				t.Fatal(err)
			}
			_, err = receive(t, r, values, other) // what one signature is for under another
			refused(t, err, push.BadSignature)
			values.Del("msg_signature")
			_, err = receive(t, r, values, body)
			refused(t, err, push.BadSignature)
		})
	}
}

// The signature of a plain push says nothing of its body.
func TestPlainReplay(t *testing.T) {
	t.Parallel()
	r, p := receiver(t, sampleConfig(t)), pusher(t, push.PlainMode)
	values, body, err := p.Push([]byte(follow(somebody, "")), noon)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // WeChat's own repeats
		if _, err := receive(t, r, values, body); err != nil {
			t.Error(err)
		}
	}
	_, err = receive(t, r, values, []byte(follow("oFORGEDbmjrPTlm6_2sgVt7hMZOP", "")))
	refused(t, err, push.Replayed)

	cfg := sampleConfig(t)
	cfg.EncryptedOnly = true
	_, err = send(t, p, receiver(t, cfg), follow(somebody, ""), noon)
	refused(t, err, push.Plain)
	if _, err := send(t, pusher(t, push.CompatibleMode), receiver(t, cfg), follow(somebody, ""), noon); err != nil {
		t.Error(err)
	}
}

// A push that is encrypted carries the signature of a plain one too: whoever has
// seen its query cannot send a body in clear with that.
func TestPlainAfterEncrypted(t *testing.T) {
	t.Parallel()
	for _, mode := range []push.Mode{push.CompatibleMode, push.SafeMode} {
		r, p := receiver(t, sampleConfig(t)), pusher(t, mode)
		values, body, err := p.Push([]byte(follow(somebody, "")), noon)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := receive(t, r, values, body); err != nil {
				t.Error(err)
			}
		}
		_, err = receive(t, r, values, []byte(follow("oFORGEDbmjrPTlm6_2sgVt7hMZOP", "")))
		refused(t, err, push.Replayed)
	}
}

// In compatible mode only Encrypt is signed: what is beside it counts for nothing.
func TestCompatibleTrustsEncryptOnly(t *testing.T) {
	t.Parallel()
	values, body, err := pusher(t, push.CompatibleMode).Push([]byte(follow(somebody, "")), noon)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.Replace(string(body), somebody, "oFORGEDbmjrPTlm6_2sgVt7hMZOP", 1)
	m, err := receive(t, receiver(t, sampleConfig(t)), values, []byte(forged))
	if err != nil || m.From != somebody || strings.Contains(string(m.Body), "FORGED") {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	r := receiver(t, sampleConfig(t))
	id := func(message string) string {
		t.Helper()
		m, err := send(t, pusher(t, push.SafeMode), r, message, noon)
		if err != nil {
			t.Fatal(err)
		}
		return m.ID()
	}
	plain := follow(somebody, "")
	if got, want := id(plain), sampleAppID+"|"+somebody+"|subscribe|1700000000|-"; got != want {
		t.Errorf("ID() = %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, message := range []string{
		plain,
		follow("o6_bmjrPTlm6_2sgVt7hMZOPfL2N", ""),
		follow(somebody, "<EventKey>qrscene_1</EventKey>"),
		follow(somebody, "<EventKey>qrscene_2</EventKey>"),
		follow(somebody, "<MsgID>1</MsgID>"),
		follow(somebody, "<MsgID>2</MsgID>"),
		strings.Replace(plain, "1700000000", "1700000001", 1),
		strings.Replace(plain, "[subscribe]", "[LOCATION]", 1),
		strings.Replace(plain, "[event]", "[text]", 1),
		follow("a b\r\nNats-Rollup: all", ""),
		follow("a_b\r\nNats-Rollup: all", ""),
		follow(strings.Repeat("x", 100)+"1", ""), follow(strings.Repeat("x", 100)+"2", ""),
	} {
		got := id(message)
		if other, ok := seen[got]; ok {
			t.Errorf("two pushes have the id %s:\n%s\n%s", got, message, other)
		}
		seen[got] = message
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("ID() = %q", got)
		}
		if alone, err := push.ID(sampleAppID, []byte(message)); err != nil || alone != got {
			t.Errorf("ID() = %s, %v, want %s", alone, err, got)
		}
		if again := id(message); again != got {
			t.Errorf("one push has two ids: %s and %s", got, again)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	r, p := receiver(t, sampleConfig(t)), pusher(t, push.SafeMode)
	verify := func(p *push.Pusher, echo string, at time.Time) (string, error) {
		values, err := p.Verification(echo, at)
		if err != nil {
			t.Fatal(err)
		}
		q, err := push.ParseQuery(values)
		if err != nil {
			t.Fatal(err)
		}
		return r.Verify(q, noon)
	}
	if echo, err := verify(p, "5927782489442352469", noon); err != nil || echo != "5927782489442352469" {
		t.Errorf("Verify() = %q, %v", echo, err)
	}
	_, err := verify(p, "", noon)
	refused(t, err, push.Malformed)
	_, err = verify(p, "1", noon.Add(-time.Hour))
	refused(t, err, push.Stale)
	p.Token = "another"
	_, err = verify(p, "1", noon)
	refused(t, err, push.BadSignature)
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "{}", "<xml>", "<html></html>", "<xml></xml><xml></xml>", "<xml></xml>tail",
		`<!DOCTYPE xml [<!ENTITY a "b">]><xml><MsgType>&a;</MsgType></xml>`,
		"<xml>" + strings.Repeat("<a>", 10) + strings.Repeat("</a>", 10) + "</xml>",
		"<xml><EventKey>" + strings.Repeat("k", 3000) + "</EventKey></xml>",
		"<xml><FromUserName>a</FromUserName><FromUserName>b</FromUserName></xml>",
		"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
	} {
		_, err := push.ParseEnvelope([]byte(body))
		refused(t, err, push.Malformed)
		_, err = push.ID("a", []byte(body))
		refused(t, err, push.Malformed)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, text := range []wechat.Secret{"", "short", sampleKey + "H", "abcdefghijklmnopqrstuvwxyz0123456789ABCDE!!"} {
		if _, err := push.ParseKey(text); err == nil || text != "" && strings.Contains(err.Error(), text.Reveal()) {
			t.Errorf("ParseKey(%q): %v", text.Reveal(), err)
		}
	}
	k := key(t, sampleKey)
	for _, cfg := range []push.Config{
		{}, {AppID: "a"}, {AppID: "a", Token: "t", EncryptedOnly: true}, {AppID: "a", Token: "t", MaxSkew: -1},
		{AppID: "a", Token: "t", Keys: []push.Key{{}}},
	} {
		if _, err := push.NewReceiver(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
	if _, err := push.ParseMode("saef"); err == nil {
		t.Error("a mode that is none")
	}
	p := pusher(t, push.SafeMode)
	for _, v := range []any{k, p, receiver(t, sampleConfig(t)), sampleConfig(t), &k} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, sampleToken) || strings.Contains(text, "105 183 29") || strings.Contains(text, "69b71d79") {
				t.Errorf("%T prints a secret with %s: %s", v, verb, text)
			}
		}
	}
}
