package push

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// Success is the answer to a push that is stored. WeChat then never sends it
// again.
const Success = "success"

// DefaultMaxSkew is Config.MaxSkew's default.
const DefaultMaxSkew = 5 * time.Minute

// Config is one account as its console's page on the server address shows it.
type Config struct {
	AppID string
	Token wechat.Secret
	// Keys are EncodingAESKeys, the one in use first. During a rotation the one
	// before it is second, since pushes under either may arrive. None takes
	// plain pushes only.
	Keys []Key
	// OriginalID is the account's gh_ id. A push to another one is refused;
	// empty compares nothing.
	OriginalID string
	// EncryptedOnly refuses what is not encrypted.
	EncryptedOnly bool
	// MaxSkew is how far a push's timestamp may be from the clock, in both
	// directions. Default 5 minutes.
	MaxSkew time.Duration
}

// Receiver takes the pushes of one account. It is safe for concurrent use, and
// prints as nothing but its account.
type Receiver struct {
	cfg   Config
	guard guard
}

// NewReceiver checks the configuration.
func NewReceiver(cfg Config) (*Receiver, error) {
	switch {
	case cfg.AppID == "":
		return nil, errors.New("push: no appid")
	case cfg.Token == "":
		return nil, errors.New("push: no token: signatures could not be checked")
	case cfg.EncryptedOnly && len(cfg.Keys) == 0:
		return nil, errors.New("push: only encrypted pushes are wanted, and there is no EncodingAESKey")
	case cfg.MaxSkew < 0:
		return nil, errors.New("push: MaxSkew is negative")
	case cfg.MaxSkew == 0:
		cfg.MaxSkew = DefaultMaxSkew
	}
	for _, k := range cfg.Keys {
		if k.block == nil {
			return nil, errors.New("push: a Key is empty: ParseKey makes one")
		}
	}
	return &Receiver{cfg: cfg, guard: guard{period: 2 * cfg.MaxSkew}}, nil
}

// AppID is the account's.
func (r *Receiver) AppID() string { return r.cfg.AppID }

// Format prints the account only: fmt would print the token among the fields.
func (r *Receiver) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "push.Receiver "+r.cfg.AppID)
}

// Verify checks the request by which WeChat finds out whether a server address
// is the account's, and returns what to answer, as it is.
func (r *Receiver) Verify(q Query, now time.Time) (echo string, err error) {
	if !signed(q.Signature, r.cfg.Token, q.Timestamp, q.Nonce) {
		return "", errSignature
	}
	if err := q.fresh(now, r.cfg.MaxSkew); err != nil {
		return "", err
	}
	if q.Echo == "" {
		return "", refuse(Malformed, "the query has no echostr")
	}
	return q.Echo, nil
}

var errSignature = refuse(BadSignature, "it is not signed with the account's token")

// Open checks a push and decrypts it. An error is a *Refusal.
func (r *Receiver) Open(q Query, e *Envelope, now time.Time) (*Message, error) {
	m := Message{AppID: r.cfg.AppID, Body: e.body}
	f := e.fields
	// In a body with both only what is encrypted is signed.
	if e.encrypt != "" && (len(r.cfg.Keys) > 0 || e.msgType == "") {
		var err error
		if m.Body, err = r.decrypt(q, e, now); err != nil {
			return nil, err
		}
		if f, err = parse(m.Body); err != nil {
			return nil, err
		}
		m.Encrypted = true
		if signed(q.Signature, r.cfg.Token, q.Timestamp, q.Nonce) {
			r.guard.first(q.Signature, e.body, now) // nobody else's body comes under it, in clear
		}
	} else if err := r.plain(q, e, now); err != nil {
		return nil, err
	}
	if f.msgType == "" {
		return nil, refuse(Malformed, "it is neither a message nor an event: there is no MsgType")
	}
	if id := r.cfg.OriginalID; id != "" && f.to != id {
		return nil, refuse(WrongAccount, "ToUserName is not the account's original id")
	}
	m.fill(f)
	return &m, nil
}

func (r *Receiver) plain(q Query, e *Envelope, now time.Time) error {
	switch {
	case !signed(q.Signature, r.cfg.Token, q.Timestamp, q.Nonce):
		return errSignature
	case r.cfg.EncryptedOnly:
		return refuse(Plain, "it is in clear, and only encrypted pushes are taken: set safe mode in the account's console")
	}
	if err := q.fresh(now, r.cfg.MaxSkew); err != nil {
		return err
	}
	if !r.guard.first(q.Signature, e.body, now) {
		return refuse(Replayed, "its signature came before, with another body")
	}
	return nil
}

// decrypt returns the message inside Encrypt.
func (r *Receiver) decrypt(q Query, e *Envelope, now time.Time) ([]byte, error) {
	if !signed(q.MsgSignature, r.cfg.Token, q.Timestamp, q.Nonce, e.encrypt) {
		return nil, errSignature
	}
	if err := q.fresh(now, r.cfg.MaxSkew); err != nil {
		return nil, err
	}
	if len(r.cfg.Keys) == 0 {
		return nil, refuse(NoKey, "it is encrypted, and the account has no EncodingAESKey here")
	}
	for _, k := range r.cfg.Keys {
		message, appid, err := k.open(e.encrypt)
		if err != nil {
			continue
		}
		if appid != r.cfg.AppID {
			return nil, refuse(WrongAccount, "it is encrypted for another appid")
		}
		return message, nil
	}
	return nil, refuse(Undecryptable, "it is signed, yet none of the account's %d keys opens it", len(r.cfg.Keys))
}
