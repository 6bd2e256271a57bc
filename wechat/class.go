package wechat

import "strconv"

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
	Operator                  // a person has to change something: secret, permission, ban
	Permission                // the account is not allowed, or banned: mended in days rather than minutes
	Address                   // the caller's IP is refused: another machine may still be answered
	Bug                       // our own request is malformed
)

// classes is the last column of the table: endpoint and code give the class, the
// class gives the reaction. It is package pipeline that reacts so.
var classes = [...]struct{ name, reaction string }{
	Unknown:      {"unknown", "five attempts, then halves the batch to find one person (dead letter `exhausted`); three batches and no answer between: hold"},
	Transient:    {"transient", "asks again for as long as it lasts, with random waits up to `retry.max`; two time-outs halve the batch; an errcode for one person alone, while others are answered: dead letter `exhausted`"},
	StaleToken:   {"stale_token", "fetches a new token and asks again at once; six more refusals in a row: hold (`stolen_token`)"},
	BadOpenID:    {"bad_openid", "splits the batch, dead letter `rejected` for the openid alone; nobody answered at all: hold (`wrong_account`)"},
	NotFollowing: {"not_following", "splits the batch, record of status `not_following` for the person alone; nobody answered at all: hold (`wrong_account`)"},
	BatchSize:    {"batch_size", "halves batches, once, and asks again at once; half of `batch.size` refused too: hold (`bug`)"},
	MinuteLimit:  {"minute_limit", "waits for the next minute, or as long as the server wishes, and asks again"},
	DailyQuota:   {"daily_quota", "hold; one try after a minute, the next after midnight in Beijing"},
	Operator:     {"operator", "hold at once; one try after 1, 2, 4, 8, then every 15 minutes, not before a known refusal ends"},
	Permission:   {"permission", "hold at once; one try after 1, 2, 4, 8, 16, 32, then every 60 minutes"},
	Address:      {"address", "hold of this replica only; one try after 1, 2, 4, then every 5 minutes: another one may have an address that is allowed"},
	Bug:          {"bug", "hold at once, tried like `operator`: the next request would be as malformed"},
}

// Classes returns all classes, in the order of the constants.
func Classes() []Class {
	all := make([]Class, len(classes))
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// ParseClass is the inverse of [Class.String].
func ParseClass(name string) (c Class, ok bool) {
	for i := range classes {
		if classes[i].name == name {
			return Class(i), true
		}
	}
	return Unknown, false
}

// String returns the class in the form of a metric label, such as "stale_token".
func (c Class) String() string {
	if int(c) < len(classes) {
		return classes[c].name
	}
	return "class(" + strconv.Itoa(int(c)) + ")"
}

// Reaction says in one line what a lane does about the class: what is asked
// again and when, who becomes a dead letter, and who is held.
func (c Class) Reaction() string {
	if int(c) < len(classes) {
		return classes[c].reaction
	}
	return ""
}
