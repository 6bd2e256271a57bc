package push_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/wxenrich/wxenrich/wechat/push"
)

// FuzzOpen sends anything under a signature that is not WeChat's: nothing may
// be taken, and nothing may panic.
func FuzzOpen(f *testing.F) {
	forger := &push.Pusher{AppID: sampleAppID, Token: "another", Key: key(f, sampleKey), Random: rand.Reader}
	for _, forger.Mode = range modes {
		values, body, err := forger.Push([]byte(follow(somebody, "")), noon)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(values.Encode(), body)
	}
	r := receiver(f, push.Config{AppID: sampleAppID, Token: "a token of which the fuzzer knows nothing", Keys: []push.Key{key(f, sampleKey)}})
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		values, _ := url.ParseQuery(query)
		q, err := push.ParseQuery(values)
		if err != nil {
			return
		}
		if _, err := r.Verify(q, noon); err == nil {
			t.Error("verified without the token")
		}
		e, err := push.ParseEnvelope(body)
		if err != nil {
			return
		}
		if m, err := r.Open(q, e, noon); err == nil {
			t.Errorf("taken without the token: %+v", m)
		}
	})
}

// FuzzSealed opens what somebody with the token has sealed: any message comes
// out as it went in, or is refused, and has an id that a header can hold.
func FuzzSealed(f *testing.F) {
	f.Add([]byte(follow(somebody, "")), "")
	f.Add([]byte(follow("a\x01b", "<EventKey>&#10;</EventKey>")), base64.StdEncoding.EncodeToString(make([]byte, 64)))
	r := receiver(f, push.Config{AppID: sampleAppID, Token: sampleToken, Keys: []push.Key{key(f, sampleKey)}})
	p := &push.Pusher{AppID: sampleAppID, Token: sampleToken, Key: key(f, sampleKey), Mode: push.SafeMode, Random: rand.Reader}
	f.Fuzz(func(t *testing.T, message []byte, encrypted string) {
		if values, body, err := p.Push(message, noon); err == nil {
			if m, err := receive(t, r, values, body); err == nil {
				if string(m.Body) != string(message) {
					t.Errorf("in %q, out %q", message, m.Body)
				}
				for _, c := range []byte(m.ID()) {
					if c <= ' ' || c > '~' {
						t.Errorf("ID() = %q", m.ID())
					}
				}
			}
		}
		// Sealed by whoever has the token but not the key.
		signed, body := push.SignedForTest(sampleToken, noon, encrypted)
		if e, err := push.ParseEnvelope(body); err == nil {
			if m, err := r.Open(signed, e, noon); err == nil {
				t.Errorf("opened: %+v", m)
			}
		}
	})
}
