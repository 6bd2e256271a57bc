package events

import "slices"

// Reason says why an event became a dead letter. The set is closed, so that a
// reason can be a subject token and a metric label.
type Reason string

// The reasons.
const (
	Undecodable   Reason = "undecodable"    // the payload is none of the accepted forms, or too large to look at
	WrongAccount  Reason = "wrong_account"  // the event names another account than its subject does
	InvalidOpenID Reason = "invalid_openid" // cannot be an openid; no call was spent on it
	Rejected      Reason = "rejected"       // WeChat refuses this openid (40003, 46004 and their kin)
	Unresolved    Reason = "unresolved"     // no usable answer after every re-check
	TooLarge      Reason = "too_large"      // the record exceeds what the server takes in one message
	Exhausted     Reason = "exhausted"      // calls for this openid alone kept failing while others succeeded
	Crashed       Reason = "crashed"        // in hand in three crashes of the process
)

var reasons = [...]Reason{Undecodable, WrongAccount, InvalidOpenID, Rejected, Unresolved, TooLarge, Exhausted, Crashed}

// Reasons lists all reasons there are.
func Reasons() []Reason { return slices.Clone(reasons[:]) }

// Rejection is the error of an input that no retry can help: it becomes a dead
// letter of that reason.
type Rejection struct {
	Reason Reason
	Detail string // for a person; quotes nothing of the payload, so it holds no openid
}

func (r *Rejection) Error() string {
	return "events: " + string(r.Reason) + ": " + r.Detail
}

func undecodable(detail string) *Rejection { return &Rejection{Undecodable, detail} }
