package wechattest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// PushConfig is an account's server configuration (服务器配置): where its pushes
// go and how they are signed and encrypted.
type PushConfig struct {
	URL    string
	Token  wechat.Secret
	AESKey wechat.Secret // EncodingAESKey; for all but plain mode
	Mode   push.Mode     // default safe
	Client *http.Client  // default one of its own
}

// Pusher pushes an account's events as WeChat does. It is safe for concurrent use.
type Pusher struct {
	account *Account
	url     url.URL
	client  *http.Client
	push    push.Pusher
}

// What WeChat does when there is no success (Receiving event pushes).
const (
	pushTries   = 3
	pushTimeout = 5 * time.Second
)

// NewPusher sets the account's server configuration, without verifying it.
func (a *Account) NewPusher(cfg PushConfig) (*Pusher, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("wechattest: where to push to is not a URL")
	}
	if cfg.Mode == "" {
		cfg.Mode = push.SafeMode
	}
	p := &Pusher{account: a, url: *u, client: cfg.Client, push: push.Pusher{AppID: a.cfg.AppID, Token: cfg.Token, Mode: cfg.Mode, Random: rand.Reader}}
	if cfg.Mode != push.PlainMode {
		if p.push.Key, err = push.ParseKey(cfg.AESKey); err != nil {
			return nil, err
		}
	}
	if p.client == nil {
		p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	return p, nil
}

// OriginalID is the account's gh_ id, the ToUserName of its pushes.
func (a *Account) OriginalID() string {
	return "gh_" + hex.EncodeToString([]byte(a.cfg.AppID))[:min(12, 2*len(a.cfg.AppID))]
}

// Verify asks the server whether the address is its own, as the console does
// when the configuration is saved.
func (p *Pusher) Verify(ctx context.Context) error {
	echo := strconv.FormatInt(time.Now().UnixNano(), 10)
	q, err := p.push.Verification(echo, time.Now())
	if err != nil {
		return err
	}
	answer, err := p.do(ctx, http.MethodGet, q, "")
	if err == nil && answer != echo {
		err = errors.New("wechattest: the answer is not the echostr")
	}
	return err
}

// Follow lets a person follow, and pushes that. The scene is a QR code's, empty
// for none.
func (p *Pusher) Follow(ctx context.Context, openid, scene string) (tries int, err error) {
	p.account.Follow(openid)
	key := ""
	if scene != "" {
		key = "qrscene_" + scene
	}
	return p.Send(ctx, p.Event("subscribe", openid, key, time.Now()))
}

// Unfollow lets a person unfollow, and pushes that.
func (p *Pusher) Unfollow(ctx context.Context, openid string) (tries int, err error) {
	p.account.Unfollow(openid)
	return p.Send(ctx, p.Event("unsubscribe", openid, "", time.Now()))
}

// Event is an event's XML. The texts must not hold "]]>".
func (p *Pusher) Event(event, openid, key string, at time.Time) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<xml><ToUserName><![CDATA[%s]]></ToUserName>\n<FromUserName><![CDATA[%s]]></FromUserName>\n<CreateTime>%d</CreateTime>\n"+
		"<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[%s]]></Event>\n<EventKey><![CDATA[%s]]></EventKey>\n",
		p.account.OriginalID(), openid, at.Unix(), event, key)
	if key != "" {
		b.WriteString("<Ticket><![CDATA[gQH47joAAAAA]]></Ticket>\n")
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

// Send pushes a message: at most three times, each for at most 5 seconds, until
// the answer is success or empty. It returns how often it was sent, and why the
// last time was in vain.
func (p *Pusher) Send(ctx context.Context, message []byte) (tries int, err error) {
	for tries < pushTries {
		q, body, err := p.push.Push(message, time.Now())
		if err != nil {
			return tries, err
		}
		tries++
		answer, err := p.do(ctx, http.MethodPost, q, string(body))
		if err == nil && (answer == push.Success || answer == "") {
			return tries, nil
		}
		if tries == pushTries || ctx.Err() != nil {
			return tries, errors.Join(errors.New("wechattest: the push got no success"), err)
		}
	}
	return tries, nil
}

// do sends one request and returns the body of a 200.
func (p *Pusher) do(ctx context.Context, method string, q url.Values, body string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	u := p.url
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/xml")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("wechattest: %s %s: %w", method, p.url.Path, errors.Unwrap(err)) // without the query
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("wechattest: %s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return string(answer), err
}
