package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// Gateway is WeChat's push endpoint, which "wxenrich gateway" serves.
type Gateway struct {
	Listen      string   `yaml:"listen" default:"127.0.0.1:8080" doc:"where WeChat's pushes arrive, by way of a proxy or directly; WeChat pushes to ports 80 and 443 only" zh:"接收微信推送的地址（经代理或直接）；微信只推送到 80 和 443 端口"`
	Path        string   `yaml:"path" default:"/wechat" doc:"path of the server address (URL) in the console; /wechat/<appid> is one account's own" zh:"后台「服务器地址(URL)」的路径；/wechat/<appid> 为单个账号的路径"`
	TLSCert     string   `yaml:"tls_cert" doc:"PEM file with the certificate, for a gateway without a proxy; a new file is taken over without a restart" zh:"证书 PEM 文件（没有代理时）；更换文件无需重启"`
	TLSKey      string   `yaml:"tls_key" doc:"PEM file with its key" zh:"其私钥 PEM 文件"`
	Subject     string   `yaml:"subject" default:"wx.events.{appid}.{type}" doc:"subject of an event in input.stream; {type} is subscribe, unsubscribe, SCAN …" zh:"事件在 input.stream 中的主题；{type} 为 subscribe、unsubscribe、SCAN 等"`
	Messages    Messages `yaml:"messages"`
	Spool       Spool    `yaml:"spool"`
	Timeout     Duration `yaml:"timeout" default:"4.5s" min:"100ms" max:"4.8s" doc:"how long a push may wait for its stream before WeChat is left to send it again; WeChat waits 5 s" zh:"推送等待写入流的时间，超过则让微信重试；微信等待 5 秒"`
	MaxSkew     Duration `yaml:"max_skew" default:"5m" min:"1s" max:"1h" doc:"how far a push's timestamp may be from the clock; at most half of input.duplicates, so that an old copy is never a new event" zh:"推送时间戳与本机时钟允许的偏差；不超过 input.duplicates 的一半，重放的推送就不会成为新事件"`
	MaxBody     Size     `yaml:"max_body" default:"256KiB" min:"1KiB" max:"512KiB" doc:"size of a push" zh:"推送的大小上限"`
	MaxInFlight int      `yaml:"max_in_flight" default:"5000" min:"1" doc:"pushes that may wait for their stream at a time" zh:"同时等待写入的推送数上限"`
	Rate        float64  `yaml:"rate" default:"0" min:"0" doc:"signed pushes a second at most, of each account; WeChat sends the rest again, three times in all; 0 is unlimited" zh:"每个账号每秒接收的（签名正确的）推送上限，其余由微信重试，总共三次；0 表示不限"`
	HTTPListen  string   `yaml:"http_listen" default:"127.0.0.1:9465" doc:"address of the gateway's own /livez, /readyz and /metrics; empty for none" zh:"网关自己的 /livez、/readyz、/metrics 的地址，留空则关闭"`
}

// Messages is where the messages go that people write to an account.
type Messages struct {
	Stream  string `yaml:"stream" default:"WX_MESSAGES" doc:"stream of the messages that people write to the account; {appid} may be used" zh:"用户发给公众号的消息所在的流，可用 {appid}"`
	Subject string `yaml:"subject" default:"wx.messages.{appid}.{type}" doc:"subject of a message; {type} is text, image, voice …; empty drops messages" zh:"消息的主题；{type} 为 text、image、voice 等；留空则丢弃消息"`
	Storage
}

// Spool is where pushes wait on disk while their stream takes none.
type Spool struct {
	Dir      string `yaml:"dir" doc:"folder in which pushes wait while NATS is away, synced before WeChat is told success; empty for none; each gateway needs its own, on a disk that stays" zh:"NATS 不可用时推送暂存的目录，落盘后才回答 success；留空则不使用；每个网关使用各自的、持久的目录"`
	MaxBytes Size   `yaml:"max_bytes" default:"256MiB" min:"1MiB" doc:"how much may wait there, some 900 bytes for a push" zh:"暂存的上限，每个推送约 900 字节"`
}

// Push is what an account's console says about its server address (服务器配置).
type Push struct {
	TokenFile     string `yaml:"token_file" doc:"gateway: file that holds the Token of the console's server configuration" zh:"网关：存放后台「服务器配置」中 Token（令牌）的文件"`
	TokenEnv      string `yaml:"token_env" doc:"environment variable that holds it, instead of a file" zh:"存放该令牌的环境变量名（代替文件）"`
	AESKeyFile    string `yaml:"aes_key_file" doc:"gateway: file that holds the EncodingAESKey; a second line is the key before it, taken as well during a rotation" zh:"网关：存放 EncodingAESKey 的文件；第二行为更换前的密钥，轮换期间同样接受"`
	AESKeyEnv     string `yaml:"aes_key_env" doc:"environment variable that holds it, or both with a blank between them" zh:"存放该密钥的环境变量名，两个密钥用空格分隔"`
	OriginalID    string `yaml:"original_id" doc:"gateway: the account's gh_ id, by which a push to gateway.path itself is told; needed there with several accounts" zh:"网关：公众号原始 ID（gh_…），多个账号共用 gateway.path 时据此区分"`
	EncryptedOnly bool   `yaml:"encrypted_only" default:"false" doc:"gateway: refuse pushes in clear, whose signature does not cover their body; for accounts in safe mode" zh:"网关：拒绝明文推送（其签名不覆盖正文），适合安全模式的账号"`
}

// Configured reports whether WeChat can push for the account.
func (p *Push) Configured() bool { return p.TokenFile != "" || p.TokenEnv != "" }

// PushOnly reports whether nothing but pushes can be taken for the account: it
// says of no AppSecret.
func (a *Account) PushOnly() bool {
	return a.Push.Configured() && a.SecretFile == "" && a.SecretEnv == "" && (a.Token.Source == "stable" || a.Token.Source == "classic")
}

// Token reads the token by which WeChat signs. getenv is os.Getenv. The error
// never holds it.
func (p *Push) Token(getenv func(string) string) (wechat.Secret, error) {
	return fileOrVariable("push.token", p.TokenFile, p.TokenEnv, getenv)
}

// Keys reads the EncodingAESKeys, the present one first; none if there are none.
func (p *Push) Keys(getenv func(string) string) ([]push.Key, error) {
	if p.AESKeyFile == "" && p.AESKeyEnv == "" {
		return nil, nil
	}
	text, err := fileOrVariable("push.aes_key", p.AESKeyFile, p.AESKeyEnv, getenv)
	if err != nil {
		return nil, err
	}
	var keys []push.Key
	for s := range strings.FieldsSeq(text.Reveal()) {
		k, err := push.ParseKey(wechat.Secret(s))
		if err != nil {
			return nil, fmt.Errorf("push.aes_key: %w", errors.New(strings.TrimPrefix(err.Error(), "push: ")))
		}
		keys = append(keys, k)
	}
	if len(keys) > 2 {
		return nil, fmt.Errorf("push.aes_key: there are %d keys: want the present one and perhaps the one before it", len(keys))
	}
	return keys, nil
}

func fileOrVariable(key, file, variable string, getenv func(string) string) (wechat.Secret, error) {
	if file != "" {
		s, err := ReadSecret(file)
		if err != nil {
			return "", fmt.Errorf("%s_file: %w", key, err)
		}
		return s, nil
	}
	if s := strings.TrimSpace(getenv(variable)); s != "" {
		return wechat.Secret(s), nil
	}
	return "", fmt.Errorf("%s_env: the variable %s is not set", key, variable)
}

func (l *loader) checkGateway() {
	g := l.cfg.Gateway
	l.address("gateway.listen", g.Listen)
	l.address("gateway.http_listen", g.HTTPListen)
	if !strings.HasPrefix(g.Path, "/") || strings.ContainsAny(g.Path, "{}?# ") {
		l.wrong("gateway.path", "%q is not a path: want one such as /wechat", g.Path)
	}
	if (g.TLSCert == "") != (g.TLSKey == "") {
		l.wrong("gateway.tls_cert", "want both gateway.tls_cert and gateway.tls_key, or neither")
	}
	l.checkReaders("gateway.tls_key", g.TLSKey)
	l.template("gateway.subject", g.Subject, "appid", "type")
	if g.Messages.Subject != "" {
		l.stream("gateway.messages.stream", g.Messages.Stream)
		l.template("gateway.messages.subject", g.Messages.Subject, "appid", "type")
		l.checkStorage("gateway.messages", g.Messages.Storage)
	}
	for _, s := range []string{g.Subject, g.Messages.Subject} {
		if l.cfg.answerSubject(s) {
			l.wrong("gateway.subject", "%s may be an answer's subject: want one of its own", s)
		}
	}
	if overlap(g.Subject, g.Messages.Subject) {
		l.wrong("gateway.messages.subject", "%s may be an event's subject: want one of its own", g.Messages.Subject)
	}
}

// checkPush checks what an account says of its pushes.
func (l *loader) checkPush(path string, a *Account) {
	p := func(key string) string { return join(path, "push."+key) }
	for _, f := range []struct{ key, file, variable string }{
		{"token", a.Push.TokenFile, a.Push.TokenEnv}, {"aes_key", a.Push.AESKeyFile, a.Push.AESKeyEnv},
	} {
		if f.file != "" && f.variable != "" {
			l.wrong(p(f.key+"_env"), "is set beside push.%s_file: want one of them", f.key)
		}
		l.checkSecretFile(p(f.key+"_file"), f.file)
		l.checkVariable(p(f.key+"_env"), f.variable)
	}
	keys := a.Push.AESKeyFile != "" || a.Push.AESKeyEnv != ""
	switch {
	case !a.Push.Configured() && (keys || a.Push.OriginalID != "" || a.Push.EncryptedOnly):
		l.wrong(p("token_file"), "is missing: want push.token_file or push.token_env beside the account's other push keys")
	case a.Push.EncryptedOnly && !keys:
		l.wrong(p("encrypted_only"), "is on, and there is no key: want push.aes_key_file or push.aes_key_env")
	case !a.Push.Configured():
		return
	}
	g := l.cfg.Gateway
	if len(l.cfg.Accounts) > 1 && !strings.Contains(g.Subject, "{appid}") {
		l.wrong("gateway.subject", "has no {appid}, and there are several accounts: whose event it is could not be told")
	}
	if follow := a.expand(strings.ReplaceAll(g.Subject, "{type}", "subscribe")); !slices.Contains(a.Resolve().Subjects, follow) {
		l.warn(path, "follows that are pushed go to %s, which is not among the account's input.subject: nobody looks them up", follow)
	}
	if a.Input.Duplicates < 2*g.MaxSkew {
		l.warn(join(path, "input.duplicates"), "%v is less than twice gateway.max_skew, %v: a copy of a push may become a second event", a.Input.Duplicates, g.MaxSkew)
	}
}
