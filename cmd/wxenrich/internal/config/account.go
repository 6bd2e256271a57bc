package config

import "reflect"

// Account is one Official Account, and so one lane.
type Account struct {
	AppID        string   `yaml:"appid" doc:"the account's AppID, [A-Za-z0-9_-], at most 64 characters" zh:"公众号 AppID"`
	SecretFile   string   `yaml:"secret_file" doc:"file that holds the AppSecret; a line end is ignored" zh:"存放 AppSecret 的文件，忽略换行"`
	SecretEnv    string   `yaml:"secret_env" doc:"environment variable that holds the AppSecret, instead of a file" zh:"存放 AppSecret 的环境变量名（代替文件）"`
	Token        Token    `yaml:"token"`
	API          string   `yaml:"api" default:"https://api.weixin.qq.com" doc:"base URL of WeChat's API" zh:"微信 API 的基地址"`
	Lang         string   `yaml:"lang" default:"zh_CN" one:"zh_CN|zh_TW|en" doc:"language to ask for where the event names none" zh:"事件未指定时请求的语言"`
	Concurrency  int      `yaml:"concurrency" default:"4" min:"1" max:"1000" doc:"batchget calls in flight" zh:"同时进行的 batchget 调用数"`
	Timeout      Duration `yaml:"timeout" default:"20s" min:"100ms" doc:"longest batchget call" zh:"单次 batchget 的超时"`
	Rate         float64  `yaml:"rate" default:"0" min:"0" doc:"calls per second at most; 0 is unlimited" zh:"每秒调用上限；0 表示不限"`
	Quota        Quota    `yaml:"quota"`
	CanaryOpenID string   `yaml:"canary_openid" doc:"openid of a follower that is known to be good: tells a wrong account from a bad openid" zh:"已知有效的关注者 openid，用于区分账号错误和 openid 错误"`

	// What these sections say wins for this account over the general ones.
	Input   Input   `yaml:"input" override:"yes"`
	Batch   Batch   `yaml:"batch" override:"yes"`
	Recent  Recent  `yaml:"recent" override:"yes"`
	Recheck Recheck `yaml:"recheck" override:"yes"`
	Retry   Retry   `yaml:"retry" override:"yes"`
}

// Token says where the access token comes from.
type Token struct {
	Source string `yaml:"source" default:"stable" one:"stable|classic|file|url|static_env" doc:"stable_token, token, or somebody else's: a file, a URL or an environment variable" zh:"令牌来源：stable_token、token，或由他人维护的文件、URL、环境变量"`
	Path   string `yaml:"path" doc:"source file: the file, read again for each call" zh:"source 为 file 时的文件，每次调用重新读取"`
	URL    string `yaml:"url" doc:"source url: answers a GET with the token, bare or as {\"access_token\",\"expires_in\"}" zh:"source 为 url 时的地址，GET 返回令牌"`
	Env    string `yaml:"env" doc:"source static_env: the variable that holds the token" zh:"source 为 static_env 时的变量名"`
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
