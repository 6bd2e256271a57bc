package push

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// Mode is how an account's pushes are sent (消息加解密方式).
type Mode string

// The modes of the console.
const (
	PlainMode      Mode = "plain"      // 明文模式
	CompatibleMode Mode = "compatible" // 兼容模式: both forms in one body
	SafeMode       Mode = "safe"       // 安全模式: encrypted only
)

// ParseMode reads a mode's name.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case PlainMode, CompatibleMode, SafeMode:
		return m, nil
	}
	return "", fmt.Errorf("push: unknown mode %q: want plain, compatible or safe", s)
}

// Pusher makes pushes as WeChat does, for tests and simulators. It is safe for
// concurrent use if Random is.
type Pusher struct {
	AppID  string
	Token  wechat.Secret
	Key    Key // for all but plain mode
	Mode   Mode
	Random io.Reader // nonces and fillings; crypto/rand.Reader will do
}

// Verification is the query of the GET that verifies a server address.
func (p *Pusher) Verification(echo string, now time.Time) (url.Values, error) {
	q, err := p.query(now)
	if err != nil {
		return nil, err
	}
	q.Set("echostr", echo)
	return q, nil
}

// Push is the query and the body of the POST for a message: an <xml> with a
// ToUserName and no Encrypt.
func (p *Pusher) Push(message []byte, now time.Time) (url.Values, []byte, error) {
	f, err := parse(message)
	if err != nil {
		return nil, nil, err
	}
	q, err := p.query(now)
	if err != nil {
		return nil, nil, err
	}
	q.Set("openid", f.from)
	if p.Mode == PlainMode {
		return q, message, nil
	}
	if p.Key.block == nil {
		return nil, nil, fmt.Errorf("push: mode %q wants a key", p.Mode)
	}
	encrypted, err := p.Key.seal(message, p.AppID, p.Random)
	if err != nil {
		return nil, nil, err
	}
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", sign(p.Token, q.Get("timestamp"), q.Get("nonce"), encrypted))
	element := "<Encrypt><![CDATA[" + encrypted + "]]></Encrypt>"
	if p.Mode == CompatibleMode {
		text, _ := strings.CutSuffix(strings.TrimSpace(string(message)), "</xml>")
		return q, []byte(text + element + "</xml>"), nil
	}
	return q, []byte("<xml><ToUserName><![CDATA[" + f.to + "]]></ToUserName>" + element + "</xml>"), nil
}

func (p *Pusher) query(now time.Time) (url.Values, error) {
	var nonce [8]byte
	if _, err := io.ReadFull(p.Random, nonce[:]); err != nil {
		return nil, fmt.Errorf("push: nonce: %w", err)
	}
	timestamp, n := strconv.FormatInt(now.Unix(), 10), hex.EncodeToString(nonce[:])
	return url.Values{
		"signature": {sign(p.Token, timestamp, n)},
		"timestamp": {timestamp},
		"nonce":     {n},
	}, nil
}

// Format prints the account only: fmt would print the token among the fields.
func (p *Pusher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "push.Pusher "+p.AppID) }
