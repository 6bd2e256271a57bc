package wechat

import "time"

// Class says what kind of failure an error is, and so what to do about it.
// It depends on the endpoint and the code together: 40001 of a data call is a
// stale token, of the token endpoint a wrong secret.
type Class uint8

// The classes, as in the table of errcodes.
const (
	Unknown      Class = iota // a code that the table does not know
	Transient                 // busy, 5xx, time-out, reset, truncated or HTML body: try again later
	StaleToken                // token expired or replaced: refresh, try again at once
	BadOpenID                 // somebody in this request is refused: find out who
	NotFollowing              // the person does not follow: an answer rather than a failure
	BatchSize                 // too many openids in the list
	MinuteLimit               // slow down until the next minute
	DailyQuota                // nothing more today
	Operator                  // a person has to change something: secret, permission, whitelist, ban
	Bug                       // our own request is malformed
)

// Error is a failed call. Its text never holds the access token, the app
// secret or a URL's query string.
type Error struct {
	Op      string // the endpoint, for example "user/info/batchget"
	Class   Class
	Code    int           // WeChat's errcode; 0 when the failure is below it
	Status  int           // HTTP status; 0 when there was no answer
	Message string        // WeChat's errmsg without rid and hint, bounded
	RID     string        // WeChat's request id, for its support
	After   time.Duration // how long the server wishes us to wait; 0 when it does not say
	Err     error         // the cause below, redacted; may be nil
}
