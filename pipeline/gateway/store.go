package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/propagation"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// outcome is what becomes of a push that WeChat has signed: a label of metrics.
type outcome string

const (
	stored    outcome = "stored"
	duplicate outcome = "duplicate" // stored before: WeChat repeats what it got no answer to
	spooled   outcome = "spooled"   // on this machine's disk, to be stored later
	aside     outcome = "aside"     // from the spool: no stream takes it; in a file of its own
	dropped   outcome = "dropped"   // a message, and messages are not wanted
	failed    outcome = "failed"    // not stored as far as we know; WeChat will send it again
)

const (
	// attemptTimeout is how long one publish may wait for its ack. A killed
	// leader leaves its stream without one for 5 to 9 seconds, and what was
	// sent to it is never answered.
	attemptTimeout = time.Second
	// pause is between attempts, which fail at once while there is no server.
	pause = 50 * time.Millisecond
)

// store publishes a push until it is confirmed or the deadline has come. An
// attempt without an answer may have been stored: the next has the same id.
func (g *Gateway) store(ctx context.Context, a *Account, m *push.Message, deadline time.Time) (outcome, error) {
	subject := a.Events
	if !m.IsEvent() {
		subject = a.Messages
	}
	if subject.String() == "" {
		return dropped, nil
	}
	msg := message(ctx, m, subject)
	// WeChat may hang up before we do; what has been begun is finished.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if g.cfg.Spool == nil {
		return g.publish(ctx, msg)
	}
	return g.publishOrSpool(ctx, msg)
}

// publish tries until ctx ends.
func (g *Gateway) publish(ctx context.Context, msg *nats.Msg) (outcome, error) {
	for {
		ack, err := g.attempt(ctx, msg)
		switch {
		case err == nil && ack.Duplicate:
			return duplicate, nil
		case err == nil:
			return stored, nil
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return failed, fmt.Errorf("publish to %s: %w", msg.Subject, err)
		}
	}
}

// attempt publishes once. The client's own retries are off: they would wait
// beyond the deadline.
func (g *Gateway) attempt(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return g.cfg.JS.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
}

// message is a push as it goes into its stream.
func message(ctx context.Context, m *push.Message, subject events.Template) *nats.Msg {
	msg := &nats.Msg{
		Subject: subject.Expand(events.Vars{AppID: m.AppID, Type: m.Kind()}),
		Data:    m.Body,
		Header: nats.Header{
			events.HeaderMsgID:       {m.ID()},
			events.HeaderContentType: {"text/xml"},
		},
	}
	propagation.TraceContext{}.Inject(ctx, carrier(msg.Header))
	return msg
}

// carrier sets trace headers as they are spelt: NATS compares with regard to
// case.
type carrier nats.Header

func (c carrier) Get(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}
func (c carrier) Set(key, value string) { c[key] = []string{value} }
func (c carrier) Keys() []string        { return nil } // nobody lists them to inject
