package push

import "fmt"

// Reason says why a push is not taken. The set is closed: it is a label of
// metrics.
type Reason string

// The reasons. Where it says so, somebody other than WeChat may have sent it.
const (
	Malformed     Reason = "malformed"     // not what WeChat sends: not WeChat, or a proxy changed it
	BadSignature  Reason = "signature"     // not signed with the account's token: not WeChat, or another token in the console
	Stale         Reason = "stale"         // the timestamp is too far from the clock: an old copy, or a wrong clock
	Replayed      Reason = "replayed"      // the signature of a plain push under another body: not WeChat
	Plain         Reason = "plain"         // in clear although only encrypted pushes are taken: the console's mode, or not WeChat
	NoKey         Reason = "no_key"        // encrypted, and there is no EncodingAESKey
	Undecryptable Reason = "undecryptable" // signed, but no key opens it: another EncodingAESKey in the console
	WrongAccount  Reason = "wrong_account" // for another appid or gh_ id
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{Malformed, BadSignature, Stale, Replayed, Plain, NoKey, Undecryptable, WrongAccount}
}

// Refusal is the error of a push that is not taken.
type Refusal struct {
	Reason Reason
	Detail string // for a person; nothing secret, and nothing of the body
}

func (r *Refusal) Error() string { return fmt.Sprintf("push: %s: %s", r.Reason, r.Detail) }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}
