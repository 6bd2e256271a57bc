package config

import "reflect"

// Account is one Official Account, and so one lane.
type Account struct {
	AppID         string   `yaml:"appid" doc:"the account's AppID, [A-Za-z0-9_-], at most 64 characters" zh:"公众号 AppID"`
	SecretFile    string   `yaml:"secret_file" doc:"file that holds the AppSecret; a line end is ignored" zh:"存放 AppSecret 的文件，忽略换行"`
	SecretEnv     string   `yaml:"secret_env" doc:"environment variable that holds the AppSecret, instead of a file" zh:"存放 AppSecret 的环境变量名（代替文件）"`
	Token         Token    `yaml:"token"`
	API           string   `yaml:"api" default:"https://api.weixin.qq.com" doc:"base URL of WeChat's API" zh:"微信 API 的基地址"`
	APIFallback   List     `yaml:"api_fallback" doc:"further base URLs, tried in this order while api gives no answer; none by default, since a firewall or a border may be in between; WeChat's are https://api2.weixin.qq.com (for disasters), and sh.api, sz.api and hk.api" zh:"api 没有应答时依次尝试的其他基地址；默认没有，因为中间可能隔着防火墙或国境；微信提供 https://api2.weixin.qq.com（容灾）以及 sh.api、sz.api、hk.api"`
	Proxy         string   `yaml:"proxy" doc:"proxy on the way to WeChat: http, https or socks5://host:port, or none; by default what the variables HTTPS_PROXY and NO_PROXY say, which may also hold a password" zh:"访问微信所用的代理：http、https 或 socks5://host:port，none 表示不用；默认按环境变量 HTTPS_PROXY 和 NO_PROXY（需要密码时也用它们）"`
	CAFile        string   `yaml:"ca_file" doc:"PEM file with authorities to trust besides the system's, for a proxy that opens TLS" zh:"除系统之外还信任的 CA 的 PEM 文件，用于会解开 TLS 的代理"`
	Lang          string   `yaml:"lang" default:"zh_CN" one:"zh_CN|zh_TW|en" doc:"language to ask for where the event names none" zh:"事件未指定时请求的语言"`
	Concurrency   int      `yaml:"concurrency" default:"4" min:"1" max:"1000" doc:"batchget calls in flight, fewer while answers wait to be stored" zh:"同时进行的 batchget 调用数；应答来不及写出时会少于此数"`
	Timeout       Duration `yaml:"timeout" default:"20s" min:"100ms" doc:"longest batchget call" zh:"单次 batchget 的超时"`
	Rate          float64  `yaml:"rate" default:"0" min:"0" doc:"calls per second at most; 0 is unlimited" zh:"每秒调用上限；0 表示不限"`
	Quota         Quota    `yaml:"quota"`
	Push          Push     `yaml:"push"`
	Errcodes      Map      `yaml:"errcodes" doc:"classes for errcodes that go before the table's, for example 12345: operator or token/-1: operator; see deploy/docs/errcodes.md" zh:"优先于内置表的错误码分类，例如 12345: operator 或 token/-1: operator；见 deploy/docs/errcodes.md"`
	CanaryOpenID  string   `yaml:"canary_openid" doc:"openid of a follower that is known to be good: tells a wrong account from a bad openid" zh:"已知有效的关注者 openid，用于区分账号错误和 openid 错误"`
	SampleCheck   Share    `yaml:"sample_check" default:"0%" min:"0%" max:"1%" doc:"share of openids that are also asked for alone, to compare the rows of batches with user/info; 0.1% costs one call for 1,000 openids beside ten" zh:"抽样比例：同时用 user/info 单查并与批量结果比对；0.1% 即每 1000 个 openid 多一次调用（原为十次）"`
	ExpectUnionID string   `yaml:"expect_unionid" default:"auto" one:"auto|true|false" doc:"whether followers have a unionid, as on an account bound to an Open Platform account: whoever has none is asked for again before the record says so; auto learns it from the answers, false asks for nobody again, though the record says so where others have one" zh:"关注者是否应有 unionid（公众号已绑定开放平台）：没有的会再查一次才输出；auto 从返回中学习，false 不再查，但其他人有 unionid 时记录会注明"`

	// What these sections say wins for this account over the general ones.
	Input   Input   `yaml:"input" override:"yes"`
	Batch   Batch   `yaml:"batch" override:"yes"`
	Recent  Recent  `yaml:"recent" override:"yes"`
	Recheck Recheck `yaml:"recheck" override:"yes"`
	Retry   Retry   `yaml:"retry" override:"yes"`

	file string // of accounts_dir that it stands in; empty if it is not from there
}

// Same reports whether two accounts are set alike, wherever they stand.
func (a *Account) Same(b *Account) bool {
	x, y := *a, *b
	x.file, y.file = "", ""
	return reflect.DeepEqual(x, y)
}

// Token says where the access token comes from.
type Token struct {
	Source string `yaml:"source" default:"stable" one:"stable|classic|file|url|static_env" doc:"stable_token, token, or somebody else's: a file, a URL or an environment variable" zh:"令牌来源：stable_token、token，或由他人维护的文件、URL、环境变量"`
	Path   string `yaml:"path" doc:"source file: the file, read again for each call" zh:"source 为 file 时的文件，每次调用重新读取"`
	URL    string `yaml:"url" doc:"source url: answers a GET with the token, bare or in JSON; deploy/docs/token-url.md is the protocol" zh:"source 为 url 时的地址，GET 返回令牌（纯文本或 JSON），协议见 deploy/docs/token-url.md"`
	Env    string `yaml:"env" doc:"source static_env: the variable that holds the token" zh:"source 为 static_env 时的变量名"`

	Share string `yaml:"share" default:"auto" one:"auto|true|false" doc:"replicas share one token through the state bucket, sealed with the AppSecret; auto: those of source classic do" zh:"多副本通过状态 bucket 共用一个令牌（用 AppSecret 加密）；auto：仅 classic 共用"`

	AuthFile    string `yaml:"auth_file" doc:"source url: file that holds the value of the Authorization header, read again for each request" zh:"source 为 url 时存放 Authorization 请求头的值的文件，每次请求重新读取"`
	AuthEnv     string `yaml:"auth_env" doc:"source url: environment variable that holds it, instead of a file" zh:"存放该值的环境变量名（代替文件）"`
	TokenPath   string `yaml:"token_path" default:"access_token" doc:"source url: where in a JSON answer the token is; dots go down" zh:"source 为 url 时令牌在 JSON 中的路径，用点分隔"`
	ExpiresPath string `yaml:"expires_path" default:"expires_in" doc:"source url: where its end is, in seconds from now, as a unix time or in RFC 3339" zh:"source 为 url 时有效期的路径：剩余秒数、unix 时间或 RFC 3339"`
}

// Quota is how much of the account's daily calls may be spent.
type Quota struct {
	Limit     Auto   `yaml:"limit" default:"auto" doc:"calls a day; auto asks WeChat" zh:"每日调用数；auto 向微信查询"`
	Unit      string `yaml:"unit" default:"auto" one:"auto|call|openid" doc:"what a batch costs: one call, or one for each openid; auto finds out" zh:"一个批次的成本：按调用或按 openid；auto 自动判断"`
	UseAtMost Share  `yaml:"use_at_most" default:"100%" min:"1%" max:"100%" doc:"share of the quota to spend" zh:"可使用的额度比例"`
	BulkShare Share  `yaml:"bulk_share" default:"30%" min:"0%" max:"100%" doc:"share of that which replay and backfill may spend" zh:"其中回放和回填可使用的比例"`
}

// inherit gives the account the general sections, before its own are read.
func (a *Account) inherit(c *Config) {
	a.Input, a.Batch, a.Recent, a.Recheck, a.Retry = c.Input, c.Batch, c.Recent, c.Recheck, c.Retry
}

// NewAccount is an account of which nothing but the appid is known.
func NewAccount(appid string) *Account {
	a := new(Account)
	setDefaults(reflect.ValueOf(a).Elem())
	a.AppID = appid
	return a
}
