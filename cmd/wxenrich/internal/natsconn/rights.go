package natsconn

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// rightsTimeout is for one question about what the user may do.
const rightsTimeout = 2 * time.Second

// MayPublish publishes a message and reports whether the server took it; it
// says nothing of what becomes of it. It is for one goroutine at a time.
func (c *Conn) MayPublish(m *nats.Msg) (bool, error) {
	if err := c.PublishMsg(m); err != nil {
		return false, err
	}
	// The server refuses before it answers the ping of the flush.
	if err := c.FlushTimeout(rightsTimeout); err != nil {
		return false, err
	}
	err := c.LastError()
	return !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+m.Subject+`"`), nil
}

// MayListen reports whether the user may listen to its inbox: else no request is
// ever answered. It is for one goroutine at a time.
func (c *Conn) MayListen() (bool, error) {
	sub, err := c.SubscribeSync(c.NewInbox())
	if err != nil {
		return false, err
	}
	defer func() { _ = sub.Unsubscribe() }() // one that was denied is none
	if err := c.FlushTimeout(rightsTimeout); err != nil {
		return false, err
	}
	err = c.LastError()
	return !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+sub.Subject+`"`), nil
}

// Unrestricted reports whether the server says that the user may do anything in
// its account. That it does not say so means nothing: a user may not be allowed
// to ask.
func (c *Conn) Unrestricted() bool {
	const subject = "$SYS.REQ.USER.INFO"
	if may, err := c.MayPublish(nats.NewMsg(subject)); err != nil || !may {
		return false
	}
	answer, err := c.Request(subject, nil, rightsTimeout)
	if err != nil {
		return false
	}
	var user struct {
		Data *struct {
			Permissions json.RawMessage `json:"permissions"`
		} `json:"data"`
	}
	return json.Unmarshal(answer.Data, &user) == nil && user.Data != nil && user.Data.Permissions == nil
}
