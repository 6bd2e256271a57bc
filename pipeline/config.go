package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// Config is what a lane needs to know. DefaultConfig fills all but AppID.
type Config struct {
	AppID string // the account
	Lang  string // asked of WeChat where the event does not say; default zh_CN

	Stream        string            // input stream; default WX_EVENTS
	Subjects      []string          // what the durable is filtered by; default wx.events.<appid>.subscribe
	Durable       string            // default wxenrich-<appid>
	Start         Start             // where a new durable begins on a stream that holds events already
	AckWait       time.Duration     // of a new durable; default 30 s
	MaxAckPending int               // of a new durable; default 0: enough for four replicas
	InMemory      bool              // a new durable's state is not written to disk, and gone after a restart of its server; needs a Board; default false
	Manage        events.Manage     // whether a missing durable is created; default create
	Fields        map[string]string // where the producer keeps the event's fields
	MaxPayload    int               // bytes of an input that are looked at; default 256 KiB

	BatchSize   int           // openids in one call, 1 to 100; default 100
	Window      time.Duration // Fixed: the wait of a batch that is not full; default 100 ms
	WindowMax   time.Duration // not Fixed: the longest wait; default 1 s
	Fixed       bool          // close by the window only, even if a call is free
	Concurrency int           // calls in flight; default 4
	Rate        float64       // calls a second at most; default 0, no limit

	QuotaLimit int64   // of a day; default 0: what WeChat says, and it stops us itself
	QuotaUnit  string  // what a batch costs: call or openid; default "", find out
	QuotaUse   float64 // the share of the limit to spend, above 0 to 1; default 1
	BulkShare  float64 // of that, what replay and backfill may spend, 0 to 1; default 0.3

	RetryInitial time.Duration // upper bound of the first wait; default 50 ms: with 100, p99 cannot be below 300 ms with 5 % of -1
	RetryMax     time.Duration // upper bound of any wait; default 30 s
	RecentMaxAge time.Duration // how much older than its event an answer may be; default 0, none
	Recheck      time.Duration // wait before a fresh follower who seems not to follow is asked again; default 2 s, 0 never

	Outputs []Output        // where records go; default one
	Atomic  bool            // publish a group as one atomic batch: where every write is synced
	Dead    events.Template // subject of dead letters; default wx.dead.{appid}.{reason}

	Erase  EraseConfig // of people; default: nobody who unsubscribes
	Crawls Crawls      // where lists of followers are kept; default WX_CRAWLS, wx.crawls.<appid>

	SampleCheck   float64       // share of openids whose row is compared with user/info, 0 to 0.01; default 0, each costs a call
	ExpectUnionID Expect        // whether followers have a unionid; default auto
	Canary        string        // an openid of this account that is known to work; may be empty
	Grace         time.Duration // from the stop to the end of what is in flight; default 25 s
}

// DefaultConfig is the configuration of an account that says nothing special.
func DefaultConfig(appid string) Config {
	return Config{
		AppID: appid, Lang: "zh_CN",
		Stream: "WX_EVENTS", Subjects: []string{"wx.events." + appid + ".subscribe"},
		Durable: "wxenrich-" + appid, AckWait: 30 * time.Second, Manage: events.Create,
		BatchSize: wechat.MaxBatch, Window: 100 * time.Millisecond, WindowMax: time.Second,
		Concurrency: 4,
		QuotaUse:    1, BulkShare: 0.3,
		RetryInitial: 50 * time.Millisecond, RetryMax: 30 * time.Second, Recheck: 2 * time.Second,
		ExpectUnionID: ExpectAuto,
		Outputs:       []Output{{Subject: template("wx.profiles.{appid}"), Format: events.Msgpack}},
		Dead:          template("wx.dead.{appid}.{reason}"),
		Crawls:        Crawls{Stream: events.StreamSpec{Name: "WX_CRAWLS", Subjects: []string{"wx.crawls.>"}}, Subject: "wx.crawls." + appid},
		Grace:         25 * time.Second,
	}
}

func template(s string) events.Template {
	t, err := events.ParseTemplate(s, "appid", "reason")
	if err != nil {
		panic(err) // a constant of ours
	}
	return t
}

// Validate joins all faults, each with the field's name and what is wanted.
func (c *Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(events.ValidAppID(c.AppID), "AppID: %q is not 1 to 64 of A-Z a-z 0-9 _ -", c.AppID)
	want(c.Stream != "", "Stream: empty")
	want(len(c.Subjects) > 0, "Subjects: empty")
	want(c.Durable != "", "Durable: empty")
	want(c.AckWait >= time.Second, "AckWait: %s, want 1s or more", c.AckWait)
	want(c.BatchSize >= 1 && c.BatchSize <= wechat.MaxBatch, "BatchSize: %d, want 1 to %d", c.BatchSize, wechat.MaxBatch)
	want(c.Window > 0, "Window: %s, want more than 0", c.Window)
	want(c.WindowMax > 0, "WindowMax: %s, want more than 0", c.WindowMax)
	want(c.Concurrency >= 1, "Concurrency: %d, want 1 or more", c.Concurrency)
	want(c.Rate >= 0, "Rate: %g, want 0 or more", c.Rate)
	want(c.QuotaLimit >= 0, "QuotaLimit: %d, want 0 or more", c.QuotaLimit)
	want(slices.Contains([]string{"", "call", "openid"}, c.QuotaUnit), "QuotaUnit: %q, want call, openid or nothing", c.QuotaUnit)
	want(c.QuotaUse > 0 && c.QuotaUse <= 1, "QuotaUse: %g, want above 0, 1 at most", c.QuotaUse)
	want(c.BulkShare >= 0 && c.BulkShare <= 1, "BulkShare: %g, want 0 to 1", c.BulkShare)
	want(c.RetryInitial > 0, "RetryInitial: %s, want more than 0", c.RetryInitial)
	want(c.RetryMax >= c.RetryInitial, "RetryMax: %s, want at least RetryInitial, %s", c.RetryMax, c.RetryInitial)
	want(c.RecentMaxAge >= 0, "RecentMaxAge: %s, want 0 or more", c.RecentMaxAge)
	want(c.Recheck >= 0, "Recheck: %s, want 0 or more", c.Recheck)
	want(len(c.Outputs) >= 1 && len(c.Outputs) <= MaxOutputs, "Outputs: %d, want 1 to %d", len(c.Outputs), MaxOutputs)
	want(c.Grace > 0, "Grace: %s, want more than 0", c.Grace)
	want(c.SampleCheck >= 0 && c.SampleCheck <= 0.01, "SampleCheck: %g, want 0 to 0.01", c.SampleCheck)
	want(slices.Contains([]Expect{ExpectAuto, ExpectYes, ExpectNo}, c.ExpectUnionID), "ExpectUnionID: %q, want auto, true or false", c.ExpectUnionID)
	want(c.Canary == "" || events.ValidOpenID(c.Canary), "Canary: not an openid")
	return errors.Join(errs...)
}

// prefetch is how many messages are asked for at once. What waits in the client
// ages against AckWait, so it is one batch and no more, but not so few that the
// requests cost more than the messages.
func (c *Config) prefetch() int { return max(c.BatchSize, leastPrefetch) }

const leastPrefetch = 16

// inHand is the most that a lane holds at once: what fills every call and one
// batch more, and what a closing iterator still hands out.
func (c *Config) inHand() int { return c.BatchSize*(c.Concurrency+1) + c.prefetch() }

// maxAckPending leaves room for four replicas, each with its hands full:
// below that a batch could never fill.
func (c *Config) maxAckPending() int {
	if c.MaxAckPending > 0 {
		return c.MaxAckPending
	}
	return 4 * (c.inHand() + c.prefetch())
}

// Start says where a new durable begins on a stream that holds events already.
// The zero Start is no answer: a lane then refuses to guess.
type Start struct {
	mode startMode
	at   time.Time
	seq  uint64
}

type startMode uint8

const (
	startUnset startMode = iota
	startNew
	startAll
	startAt
	startSeq // of a task
)

// ParseStart reads "new", "all", an RFC 3339 time, or "" for no answer.
func ParseStart(s string) (Start, error) {
	switch s {
	case "":
		return Start{}, nil
	case "new":
		return Start{mode: startNew}, nil
	case "all":
		return Start{mode: startAll}, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return Start{}, fmt.Errorf("%q is not new, all or a time like 2026-11-22T00:00:00+08:00", s)
	}
	return Start{mode: startAt, at: at}, nil
}

// String is what ParseStart reads.
func (s Start) String() string {
	switch s.mode {
	case startNew:
		return "new"
	case startAll:
		return "all"
	case startAt:
		return s.at.Format(time.RFC3339)
	}
	return ""
}
