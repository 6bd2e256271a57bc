package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// DefaultType is the type of an event that states none.
const DefaultType = "subscribe"

// PublisherConfig says how events are published; all of it is optional.
type PublisherConfig struct {
	// Subject is a template with {appid} and {type}; default
	// wx.events.{appid}.{type}.
	Subject string
	Format  Format // default JSON
	// Pending bounds the publishes of PublishAll that wait for their ack: when
	// so many are on the way, the next waits. Default 512.
	Pending int
	// Timeout bounds one event, repeats included; default 15 s, which outlasts
	// the election of a stream's new leader.
	Timeout time.Duration
}

// Publisher puts events into the input stream. An event is stored when its
// method has returned without error, and not before. What fails for a passing
// reason, also a connection that was lost, is published again under the same
// Nats-Msg-Id, which the stream stores once.
//
// A Publisher is safe for concurrent use.
type Publisher struct {
	js      jetstream.JetStream
	cfg     PublisherConfig
	subject Template
}

// NewPublisher makes a Publisher, and reports all that is wrong with cfg.
func NewPublisher(js jetstream.JetStream, cfg PublisherConfig) (*Publisher, error) {
	subject, err := ParseTemplate(cmp.Or(cfg.Subject, "wx.events.{appid}.{type}"), "appid", "type")
	cfg.Format = cmp.Or(cfg.Format, JSON)
	cfg.Pending = cmp.Or(cfg.Pending, 512)
	cfg.Timeout = cmp.Or(cfg.Timeout, 15*time.Second)
	if _, bad := ParseFormat(string(cfg.Format)); bad != nil {
		err = errors.Join(err, bad)
	}
	if cfg.Pending < 0 || cfg.Timeout < 0 {
		err = errors.Join(err, fmt.Errorf("events: publisher: Pending %d, Timeout %s: want none below 0", cfg.Pending, cfg.Timeout))
	}
	if err != nil {
		return nil, err
	}
	return &Publisher{js: js, cfg: cfg, subject: subject}, nil
}

// Publish stores one event and returns where it is; a Duplicate is an event
// that the stream had already, by its account and id. An event without an ID
// gets one of its own, so that it can be published again; one without a Type is
// a DefaultType. The trace context of ctx goes along (W3C traceparent).
func (p *Publisher) Publish(ctx context.Context, e Event) (*jetstream.PubAck, error) {
	m, err := p.message(ctx, e)
	if err != nil {
		return nil, err
	}
	return p.publish(ctx, m)
}

// PublishAll stores many events with up to Pending of them on the way at once.
// It returns how many of them are stored, always the first ones: after an
// error, go on with the event of that index, which was not stored or nobody
// knows. Events with an ID of their own can be published again without harm.
func (p *Publisher) PublishAll(ctx context.Context, all iter.Seq[Event]) (stored int, err error) {
	var pending []jetstream.PubAckFuture
	wait := func(left int) error {
		for len(pending) > left {
			if err := p.settle(ctx, pending[0]); err != nil {
				return fmt.Errorf("event %d: %w", stored, err)
			}
			pending = pending[1:]
			stored++
		}
		return nil
	}
	for e := range all {
		m, err := p.message(ctx, e)
		if err == nil {
			err = context.Cause(ctx)
		}
		var future jetstream.PubAckFuture
		if err == nil {
			future, err = p.js.PublishMsgAsync(m, jetstream.WithStallWait(p.cfg.Timeout))
		}
		switch {
		case err == nil:
			pending = append(pending, future)
			err = wait(p.cfg.Pending - 1)
		default:
			// What is on the way comes first, so that stored says where to go on.
			if waited := wait(0); waited != nil {
				err = waited
			} else if m != nil && passing(err) && ctx.Err() == nil {
				if _, err = p.publish(ctx, m); err == nil {
					stored++
				}
			} else {
				err = fmt.Errorf("event %d: %w", stored, err)
			}
		}
		if err != nil {
			return stored, err
		}
	}
	err = wait(0)
	return stored, err
}

// settle waits for an ack. A publish that failed, or of which nothing is heard,
// may still have been stored, so it is repeated under its id.
func (p *Publisher) settle(ctx context.Context, f jetstream.PubAckFuture) error {
	patience := time.NewTimer(p.cfg.Timeout / 2)
	defer patience.Stop()
	select {
	case <-f.Ok():
		return nil
	case err := <-f.Err():
		if !again(err) {
			return err
		}
	case <-patience.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := p.publish(ctx, f.Msg())
	return err
}

// again reports whether a publish may succeed if it is repeated. A stream whose
// leader is being elected is silent in the same way as one that does not exist.
func again(err error) bool { return passing(err) || errors.Is(err, jetstream.ErrNoStreamResponse) }

// publish publishes until it is answered for good, for the Timeout at most.
func (p *Publisher) publish(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, requestTimeout)
		ack, err := p.js.PublishMsg(try, m, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return ack, nil
		}
		if !again(err) {
			return nil, fmt.Errorf("events: publish on %s: %w", m.Subject, err)
		}
		pause := time.NewTimer(requestPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("events: publish on %s: %w; last: %w", m.Subject, context.Cause(ctx), err)
		case <-pause.C:
		}
	}
}

func (p *Publisher) message(ctx context.Context, e Event) (*nats.Msg, error) {
	e.ID = cmp.Or(e.ID, nuid.Next())
	e.Type = cmp.Or(e.Type, DefaultType)
	m, err := e.Msg(p.subject.Expand(Vars{AppID: e.AppID, Type: e.Type}), p.cfg.Format)
	if err == nil {
		SetTrace(ctx, m.Header)
	}
	return m, err
}
