package wechat

import "net/http"

// StatusRow is what this package makes of an answer without an errcode.
type StatusRow struct {
	From, To int // HTTP status, both ends included; 0 is a call without an answer
	Class    Class
	Meaning  string // in one line
	Action   string // what an operator does about it, in one line
}

// statuses is read from the top, the first row that has the status counts. WeChat
// documents none of them: nearly every failure of its own comes with HTTP 200
// and an errcode, so most of these are the network's or a proxy's.
var statuses = []StatusRow{
	{0, 0, Transient, "no answer: name not found, no connection, TLS, reset, closed, time-out", actNetwork},
	{100, 199, Transient, "no final answer", actNetwork},
	{200, 299, Transient, "body empty, truncated, too large or not JSON", actNetwork},
	{300, 399, Transient, "a redirect, which is never followed: it would take the token along", "check api and any proxy between"},
	{http.StatusRequestTimeout, http.StatusRequestTimeout, Transient, "request took too long to arrive", actNetwork},
	{http.StatusTooManyRequests, http.StatusTooManyRequests, MinuteLimit, "called too often", "none: slowed down by itself"},
	// Not [Bug]: a gateway may dislike one request and take the next, because of
	// its size (413) or of one openid in it, which halving finds.
	{400, 499, Unknown, "refused by something in front of the API", "check api and any proxy between: a refusal of WeChat's own has an errcode"},
	{561, 561, Transient, "FastReject, seen under overload", "none: half the calls a second and half of those at once from then on, recovered bit by bit"},
	{500, 999, Transient, "the server or a gateway failed", actNetwork},
}

const actNetwork = "none, tried again by itself; if it stays, check the network, api and any proxy between"

// LookupStatus returns the row of an HTTP status, 0 for no answer at all.
func LookupStatus(status int) StatusRow {
	for _, row := range statuses {
		if row.From <= status && status <= row.To {
			return row
		}
	}
	return StatusRow{From: status, To: status}
}

// Statuses returns all rows, in the order in which they are looked at.
func Statuses() []StatusRow { return append([]StatusRow(nil), statuses...) }
