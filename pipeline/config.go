package pipeline

import (
	"errors"
	"fmt"
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
	Manage        events.Manage     // whether a missing durable is created; default create
	Fields        map[string]string // where the producer keeps the event's fields
	MaxPayload    int               // bytes of an input that are looked at; default 256 KiB

	BatchSize   int           // openids in one call, 1 to 100; default 100
	Window      time.Duration // Fixed: the wait of a batch that is not full; default 100 ms
	WindowMax   time.Duration // not Fixed: the longest wait; default 1 s
	Fixed       bool          // close by the window only, even if a call is free
	DailyCalls  int64         // calls a day that the account may make; default 5,000,000
	Concurrency int           // calls in flight; default 4
	Rate        float64       // calls a second at most; default 0, no limit

	RetryInitial time.Duration // upper bound of the first wait; default 100 ms
	RetryMax     time.Duration // upper bound of any wait; default 30 s
	RecentMaxAge time.Duration // how much older than its event an answer may be; default 0, none
	Recheck      time.Duration // wait before a fresh follower who seems not to follow is asked again; default 2 s, 0 never

	Output events.Template // subject of records; default wx.profiles.{appid}
	Format events.Format   // default msgpack
	Atomic bool            // publish a group as one atomic batch: where every write is synced
	Dead   events.Template // subject of dead letters; default wx.dead.{appid}.{reason}

	Canary string        // an openid of this account that is known to work; may be empty
	Grace  time.Duration // from the stop to the end of what is in flight; default 25 s
}

// DefaultConfig is the configuration of an account that says nothing special.
func DefaultConfig(appid string) Config {
	return Config{
		AppID: appid, Lang: "zh_CN",
		Stream: "WX_EVENTS", Subjects: []string{"wx.events." + appid + ".subscribe"},
		Durable: "wxenrich-" + appid, AckWait: 30 * time.Second, Manage: events.Create,
		BatchSize: wechat.MaxBatch, Window: 100 * time.Millisecond, WindowMax: time.Second,
		DailyCalls: 5_000_000, Concurrency: 4,
		RetryInitial: 100 * time.Millisecond, RetryMax: 30 * time.Second, Recheck: 2 * time.Second,
		Output: template("wx.profiles.{appid}"), Format: events.Msgpack,
		Dead:  template("wx.dead.{appid}.{reason}"),
		Grace: 25 * time.Second,
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
	want(c.RetryInitial > 0, "RetryInitial: %s, want more than 0", c.RetryInitial)
	want(c.RetryMax >= c.RetryInitial, "RetryMax: %s, want at least RetryInitial, %s", c.RetryMax, c.RetryInitial)
	want(c.RecentMaxAge >= 0, "RecentMaxAge: %s, want 0 or more", c.RecentMaxAge)
	want(c.Recheck >= 0, "Recheck: %s, want 0 or more", c.Recheck)
	want(c.Grace > 0, "Grace: %s, want more than 0", c.Grace)
	want(c.Canary == "" || events.ValidOpenID(c.Canary), "Canary: not an openid")
	return errors.Join(errs...)
}

// prefetch is how many messages wait in the client. What waits there ages
// against AckWait, so it is one batch and no more.
func (c *Config) prefetch() int { return c.BatchSize }

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
}

type startMode uint8

const (
	startUnset startMode = iota
	startNew
	startAll
	startAt
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
