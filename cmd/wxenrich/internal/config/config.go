package config

// Config is everything that can be set. Load makes one that is checked; the
// zero value is of no use. It is not changed after Load and so may be shared.
//
// Tags: yaml is the key; default, one (choices), min and max are what they say;
// doc is the line of the README's table; zh is the same in Chinese.
type Config struct {
	NATS        NATS      `yaml:"nats"`
	Accounts    []Account `yaml:"accounts"`
	AccountsDir string    `yaml:"accounts_dir" doc:"folder with one YAML file for each further account, for platforms with many; read again when a file in it changes" zh:"账号目录：每个账号一个 YAML 文件，适合账号很多的平台；文件变化时自动重新读取"`
	Input       Input     `yaml:"input"`
	Batch       Batch     `yaml:"batch"`
	Outputs     []Output  `yaml:"output"` // the first is the one that is read where one is
	Manage      string    `yaml:"manage" default:"create" one:"create|verify|bind" doc:"streams and consumers: create what is missing, only verify, or bind without asking; what exists is never changed" zh:"流和消费者：缺失则创建、仅校验、或直接绑定；已存在的永不修改"`
	Dead        Dead      `yaml:"dead"`
	Retry       Retry     `yaml:"retry"`
	Recent      Recent    `yaml:"recent"`
	Recheck     Recheck   `yaml:"recheck"`
	State       State     `yaml:"state"`
	Erase       Erase     `yaml:"erase"`
	Crawls      Crawls    `yaml:"crawls"`
	Shutdown    Shutdown  `yaml:"shutdown"`
	HTTP        HTTP      `yaml:"http"`
	Gateway     Gateway   `yaml:"gateway"`
	Log         Log       `yaml:"log"`

	// Warnings are doubts that do not stop a start, in the order of the checks.
	Warnings []Fault `yaml:"-"`

	origins map[string]Origin // by path; a path that is missing has its default
	stale   []string          // see Stale
}

// NATS says where the server is, or that it runs inside the process.
type NATS struct {
	URL          string `yaml:"url" default:"nats://127.0.0.1:4222" doc:"server, or several separated by commas" zh:"服务器地址，多个用逗号分隔"`
	Context      string `yaml:"context" doc:"context of the nats CLI: a name, or a path that ends in .json" zh:"nats CLI 的 context：名称或以 .json 结尾的路径"`
	Creds        string `yaml:"creds" doc:"credentials file" zh:"凭证文件"`
	NKey         string `yaml:"nkey" doc:"file with an nkey seed" zh:"nkey 种子文件"`
	User         string `yaml:"user" doc:"user name" zh:"用户名"`
	PasswordFile string `yaml:"password_file" doc:"file that holds the user's password" zh:"存放密码的文件"`
	TokenFile    string `yaml:"token_file" doc:"file that holds an authentication token" zh:"存放认证令牌的文件"`
	InboxPrefix  string `yaml:"inbox_prefix" doc:"prefix of the subjects that replies come to; empty for that of the context, or _INBOX_wxenrich" zh:"接收应答的主题前缀；留空则用 context 的，否则为 _INBOX_wxenrich"`
	TLSCA        string `yaml:"tls_ca" doc:"PEM file with the authorities to trust" zh:"受信任 CA 的 PEM 文件"`
	TLSCert      string `yaml:"tls_cert" doc:"PEM file with the client's certificate" zh:"客户端证书 PEM 文件"`
	TLSKey       string `yaml:"tls_key" doc:"PEM file with the client's key" zh:"客户端私钥 PEM 文件"`
	Embedded     bool   `yaml:"embedded" default:"false" doc:"run a JetStream server inside the process: a deployment on one machine" zh:"在进程内运行 JetStream 服务器，单机部署"`
	StoreDir     string `yaml:"store_dir" doc:"folder of the embedded server's streams" zh:"内嵌服务器存放流的目录"`
	Listen       string `yaml:"listen" default:"127.0.0.1:4222" doc:"where the embedded server listens for other clients" zh:"内嵌服务器的监听地址"`
}

// Input is the stream of events and how it is read.
type Input struct {
	Stream         string   `yaml:"stream" default:"WX_EVENTS" doc:"stream of the events; {appid} may be used" zh:"事件所在的流，可用 {appid}"`
	Subject        List     `yaml:"subject" default:"wx.events.{appid}.subscribe" doc:"subject, or list of subjects, that trigger a look-up; without {appid} it belongs to one account" zh:"触发查询的主题（可为列表）；不含 {appid} 时只属于一个账号"`
	Start          string   `yaml:"start" doc:"where a new consumer begins on a stream that already holds events: new, all, or an RFC 3339 time" zh:"流中已有事件时新消费者从哪里开始：new、all 或 RFC 3339 时间"`
	Durable        string   `yaml:"durable" default:"wxenrich-{appid}" doc:"name of the durable consumer" zh:"持久消费者的名称"`
	DurableStorage string   `yaml:"durable_storage" default:"file" one:"file|memory" doc:"where the server keeps what a consumer of ours has delivered: memory for hundreds of busy accounts, whose consumers are then made anew after a restart of the server; needs state.bucket" zh:"服务器把本服务消费者的投递状态保存在哪里：账号有数百个且都繁忙时用 memory，服务器重启后消费者会重新建立；需要 state.bucket"`
	AckWait        Duration `yaml:"ack_wait" default:"30s" min:"5s" doc:"an event that is not heard of for so long is delivered again" zh:"超过该时间没有进展的事件会被重新投递"`
	MaxAckPending  int      `yaml:"max_ack_pending" default:"0" min:"0" doc:"events that may be in hand over all replicas; 0 computes it from batch and concurrency" zh:"所有副本处理中的事件上限；0 表示自动计算"`
	Fields         Map      `yaml:"fields" doc:"where an existing producer puts things, for example openid: data.openId" zh:"现有生产者的字段路径映射，例如 openid: data.openId"`
	Storage
}

// Batch says when a batch is closed.
type Batch struct {
	Size      int      `yaml:"size" default:"100" min:"1" max:"100" doc:"openids in a call at most" zh:"每次调用最多的 openid 数"`
	Window    Duration `yaml:"window" default:"100ms" min:"1ms" doc:"how long a batch waits after its first event" zh:"批次从第一个事件起等待的时间"`
	WindowMax Duration `yaml:"window_max" default:"1s" min:"1ms" doc:"how far the window stretches when calls become scarce" zh:"调用额度紧张时窗口可延长到的上限"`
	Pace      string   `yaml:"pace" default:"adaptive" one:"adaptive|fixed" doc:"adaptive closes a batch early while quota is ample; fixed keeps to the window; in a backlog both wait for full batches" zh:"adaptive 在额度充足时提前关闭批次；fixed 固定窗口；有积压时两者都等批次填满"`
}

// Output is a stream of records.
type Output struct {
	Stream      string `yaml:"stream" default:"WX_PROFILES" doc:"stream of the records; {appid} may be used" zh:"输出记录的流，可用 {appid}"`
	Subject     string `yaml:"subject" default:"wx.profiles.{appid}" doc:"subject of a record; {appid}, {openid}, {unionid} and {type} may be used" zh:"记录的主题，可用 {appid} {openid} {unionid} {type}"`
	Format      string `yaml:"format" default:"msgpack" one:"msgpack|json" doc:"encoding of the records" zh:"记录的编码"`
	Fields      List   `yaml:"fields" doc:"what a record may say beside its identity, for those who must store less: unionid, lang, source, marker, event.meta and the like, user or user.<field>; empty keeps everything" zh:"除身份信息外记录可以包含的字段，供必须少存数据的人使用：unionid、lang、source、marker、event.meta 等，user 或 user.<字段>；为空表示全部保留"`
	CloudEvents bool   `yaml:"cloudevents" default:"false" doc:"records are CloudEvents 1.0 in binary mode as well: ce- headers beside ours" zh:"记录同时是 binary 模式的 CloudEvents 1.0：在原有消息头之外加上 ce- 消息头"`
	Publish     string `yaml:"publish" default:"async" one:"async|atomic" doc:"atomic is faster where the server syncs every write, as the embedded one does, and its default there" zh:"服务器每次写入都同步时 atomic 更快，内嵌服务器默认使用 atomic"`
	Storage
}

// Dead is the stream of what could not be answered.
type Dead struct {
	Stream  string `yaml:"stream" default:"WX_DEAD" doc:"stream of the dead letters; {appid} may be used" zh:"死信的流，可用 {appid}"`
	Subject string `yaml:"subject" default:"wx.dead.{appid}.{reason}" doc:"subject of a dead letter; {appid}, {reason} and {type} may be used" zh:"死信的主题，可用 {appid} {reason} {type}"`
	Storage
}

// Storage is how a stream is made when it is missing. It is never imposed on a
// stream that exists.
type Storage struct {
	MaxAge     Duration `yaml:"max_age" default:"30d" min:"0s" doc:"how long the stream keeps a message; 0s keeps it for ever" zh:"消息保留时间；0s 表示永久"`
	MaxBytes   Size     `yaml:"max_bytes" default:"0" min:"0" doc:"how big the stream may grow; 0 is unlimited" zh:"流的大小上限；0 表示不限"`
	Replicas   int      `yaml:"replicas" default:"1" min:"1" max:"5" doc:"servers that hold the stream" zh:"副本数"`
	Duplicates Duration `yaml:"duplicates" default:"10m" min:"100ms" doc:"how long the stream remembers a message id" zh:"消息 id 去重窗口"`
}

// Retry is the backoff between attempts.
type Retry struct {
	Initial Duration `yaml:"initial" default:"50ms" min:"1ms" doc:"first wait at most; each is drawn at random below its bound" zh:"首次等待的上限，实际等待在上限内随机"`
	Max     Duration `yaml:"max" default:"30s" min:"1ms" doc:"bound that the waits grow to" zh:"等待上限"`
}

// Recent is the memory of answers that may serve another event.
type Recent struct {
	MaxAge Duration `yaml:"max_age" default:"0s" min:"0s" doc:"how much older than its event an answer may be; 0s allows only answers asked for after the event" zh:"答案可以比事件早多少；0s 只允许事件之后查询的答案"`
	Memory Size     `yaml:"memory" default:"16MiB" min:"0" doc:"memory for recent answers, for the whole process" zh:"缓存最近答案的内存（整个进程）"`
}

// Recheck is the second question about a new follower who is said not to follow.
type Recheck struct {
	After Duration `yaml:"after" default:"2s" min:"0s" doc:"wait before a fresh subscriber who is said not to follow is asked for again; one of an older event is put into the next batch, as long as that costs 2 % of the calls at most; 0s never asks again" zh:"新关注者被报告为未关注时，多久后再查一次；较早的事件则并入下一批再查，额外调用不超过 2%；0s 关闭"`
}

// State is where replicas tell each other what they have found out.
type State struct {
	Bucket   string `yaml:"bucket" default:"WX_STATE" doc:"key-value bucket in which replicas share holds and counts; empty for none" zh:"副本间共享暂停状态和计数的键值桶，留空则不使用"`
	Replicas int    `yaml:"replicas" default:"1" min:"1" max:"5" doc:"servers that hold the bucket" zh:"该桶的副本数"`
}

// Erase is whom to erase without being asked, and where it is kept who was.
type Erase struct {
	Unsubscribed bool     `yaml:"unsubscribed" default:"false" doc:"erase whoever unsubscribes, as WeChat requires; input.subject has to bring the unsubscribe events" zh:"按微信的要求删除取消关注者的数据；input.subject 须包含取消关注事件"`
	After        Duration `yaml:"after" default:"24h" min:"0s" doc:"how long after; who follows again meanwhile stays" zh:"取消关注多久后删除；期间重新关注则保留"`
	Bucket       string   `yaml:"bucket" default:"WX_TOMBSTONES" doc:"key-value bucket of who is erased, as hashes, made with the first of them; do not delete it; empty for none: then nobody can be erased" zh:"记录已删除者（哈希）的键值桶，首次删除时创建；不要删除它；留空则无法删除任何人"`
	Stream       string   `yaml:"stream" default:"WX_ERASED" doc:"stream of the notices to consumers, made with the first of them; {appid} may be used" zh:"通知消费者的流，首次删除时创建，可用 {appid}"`
	Subject      string   `yaml:"subject" default:"wx.erased.{appid}" doc:"subject of a notice; {appid} may be used" zh:"通知的主题，可用 {appid}"`
	Storage
}

// Crawls is where the lists of followers are kept.
type Crawls struct {
	Stream  string `yaml:"stream" default:"WX_CRAWLS" doc:"stream of the lists of followers that backfills make, made with the first of them; {appid} may be used" zh:"回填得到的关注者列表的流，首次回填时创建，可用 {appid}"`
	Subject string `yaml:"subject" default:"wx.crawls.{appid}" doc:"subject of a list, before its backfill's id; has to have {appid}" zh:"列表的主题（其后是回填的 id），须含 {appid}"`
	Storage
}

// Shutdown is the end.
type Shutdown struct {
	Grace Duration `yaml:"grace" default:"25s" min:"1ms" doc:"time for calls in flight after SIGTERM; keep it below the orchestrator's own" zh:"SIGTERM 后留给进行中调用的时间，应小于编排系统的时限"`
}

// HTTP is the listener for probes and metrics.
type HTTP struct {
	Listen string `yaml:"listen" default:"127.0.0.1:9464" doc:"address of /livez, /readyz and /metrics; empty for none" zh:"/livez、/readyz、/metrics 的地址，留空则关闭"`

	TokenFile string `yaml:"token_file" doc:"file that holds a bearer token, without which there are no /metrics, no profiles and no details of /readyz, the gateway's too; read again at each request" zh:"存放 bearer 令牌的文件：没有令牌时不提供 /metrics、性能剖析和 /readyz 的详情，网关的也一样；每次请求重新读取"`

	PProf string `yaml:"pprof" doc:"address of Go's profiles (/debug/pprof/), for whoever looks for a fault; they show what is in memory: keep it on loopback; empty for none" zh:"Go 性能剖析（/debug/pprof/）的地址，用于排查问题；会暴露内存内容，请只监听回环地址；留空则关闭"`
}

// Log is what goes to standard error.
type Log struct {
	Level  string `yaml:"level" default:"info" one:"debug|info|warn|error" doc:"least level that is logged; openids appear at debug only" zh:"日志级别；openid 只在 debug 出现"`
	Format string `yaml:"format" default:"text" one:"text|json" doc:"one line of text, or of JSON" zh:"日志格式"`
}
