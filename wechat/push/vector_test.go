package push_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// The example that WeChat publishes with its sample code for encrypted pushes:
// not made by what is tested here.
const (
	sampleAppID   = "wx2c2769f8efd9abc2"
	sampleToken   = "spamtest"
	sampleKey     = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	sampleTo      = "gh_10f6c3c3ac5a"
	sampleTime    = 1409735669
	sampleNonce   = "1320562132"
	sampleEncrypt = "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)

func sampleQuery() push.Query {
	return push.Query{
		Signature: "16120ec1b8dbb870f510d87ce6bc2463eae6ca1a", MsgSignature: "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
		Timestamp: "1409735669", Nonce: sampleNonce, Echo: "shr5ch",
	}
}

func sampleConfig(t *testing.T) push.Config {
	t.Helper()
	return push.Config{AppID: sampleAppID, Token: sampleToken, Keys: []push.Key{key(t, sampleKey)}, OriginalID: sampleTo}
}

func key(t testing.TB, text wechat.Secret) push.Key {
	t.Helper()
	k, err := push.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func receiver(t testing.TB, cfg push.Config) *push.Receiver {
	t.Helper()
	r, err := push.NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPublishedSample(t *testing.T) {
	t.Parallel()
	now := time.Unix(sampleTime, 0)
	safe := "<xml><ToUserName><![CDATA[" + sampleTo + "]]></ToUserName><Encrypt><![CDATA[" + sampleEncrypt + "]]></Encrypt></xml>"
	compatible := "<xml><ToUserName><![CDATA[" + sampleTo + "]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>" +
		"<CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[abcdteT]]></Content>" +
		"<MsgId>6054768590064713728</MsgId><Encrypt><![CDATA[" + sampleEncrypt + "]]></Encrypt></xml>"
	for name, body := range map[string]string{"safe": safe, "compatible": compatible} {
		m := open(t, receiver(t, sampleConfig(t)), sampleQuery(), body, now)
		want := []string{sampleTo, "oyORnuP8q7ou2gfYjqLzSIWZf0rs", "1409735668", "text", "text"}
		if d := cmp.Diff(want, []string{m.To, m.From, m.Created, m.Type, m.Kind()}); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
		if !m.Encrypted || m.IsEvent() || !strings.Contains(string(m.Body), "<Content><![CDATA[abcdteT]]></Content>") || strings.Contains(string(m.Body), "Encrypt") {
			t.Errorf("%s: %+v\n%s", name, m, m.Body)
		}
	}
	echo, err := receiver(t, sampleConfig(t)).Verify(sampleQuery(), now)
	if err != nil || echo != "shr5ch" {
		t.Errorf("Verify() = %q, %v", echo, err)
	}
	// In the last of its two keys, as during a rotation.
	cfg := sampleConfig(t)
	cfg.Keys = []push.Key{key(t, "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"), cfg.Keys[0]}
	open(t, receiver(t, cfg), sampleQuery(), safe, now)
}

// open is Receiver.Open of a body that must be taken.
func open(t testing.TB, r *push.Receiver, q push.Query, body string, now time.Time) *push.Message {
	t.Helper()
	e, err := push.ParseEnvelope([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Open(q, e, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	good := url.Values{"signature": {"s"}, "timestamp": {"1"}, "nonce": {"n"}, "openid": {"o"}, "encrypt_type": {"aes"}, "msg_signature": {"m"}, "echostr": {"e"}}
	q, err := push.ParseQuery(good)
	if err != nil || q != (push.Query{Signature: "s", MsgSignature: "m", Timestamp: "1", Nonce: "n", Echo: "e"}) {
		t.Errorf("%+v, %v", q, err)
	}
	for _, text := range []string{"", "signature=s&timestamp=1", "signature=s&nonce=n", "timestamp=1&nonce=n",
		"signature=s&timestamp=1&nonce=n&nonce=n", "signature=s&timestamp=1&nonce=" + strings.Repeat("n", 600)} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = push.ParseQuery(v)
		refused(t, err, push.Malformed)
	}
}
