package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

const (
	// inFlight is how many publishes wait for the stream at once: enough to hide
	// the round trip, few enough to stop soon.
	inFlight = 512

	// storeTimeout outlasts the election of a stream's new leader (4–9 s).
	storeTimeout = 15 * time.Second

	// settleTimeout is how long somebody waits who has pressed Ctrl-C.
	settleTimeout = 5 * time.Second
)

// publishQueue publishes asynchronously and counts what the stream has stored.
// It is for one goroutine.
type publishQueue struct {
	js      jetstream.JetStream
	subject string
	run     string // makes message ids unique to this run
	line    int    // behind which there is no event yet
	pending []jetstream.PubAckFuture
	acked   int
}

// newPublishQueue begins a run, or goes on with one.
func newPublishQueue(nc *natsconn.Conn, subject, run string) (*publishQueue, error) {
	js, err := nc.JetStream(jetstream.WithPublishAsyncMaxPending(2*inFlight), jetstream.WithPublishAsyncTimeout(storeTimeout))
	return &publishQueue{js: js, subject: subject, run: cmp.Or(run, nuid.Next())}, err
}

// id is the message id of a line's event.
func (q *publishQueue) id(line int) string { return q.run + "-" + strconv.Itoa(line) }

// unsure is the id of the first event of which the stream has not said that it is
// stored; all before it are.
func (q *publishQueue) unsure() string {
	if len(q.pending) > 0 {
		return q.pending[0].Msg().Header.Get(events.HeaderMsgID)
	}
	return q.id(q.line)
}

// publish sends one event. The first is waited for, so that a missing stream is
// known before a million lines are read; and a little longer than the command goes
// on, so that it is known whether it is stored.
func (q *publishQueue) publish(ctx context.Context, line int, data []byte, contentType string) error {
	q.line = line
	m := nats.NewMsg(q.subject)
	m.Data = data
	// The id makes it safe to publish again what may have been stored.
	m.Header[events.HeaderMsgID] = []string{q.id(line)}
	m.Header[events.HeaderContentType] = []string{contentType}
	if q.acked == 0 && len(q.pending) == 0 {
		first, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(settleTimeout, cancel) })()
		if _, err := q.js.PublishMsg(first, m); err != nil {
			return err
		}
		q.acked, q.line = 1, line+1
		return nil
	}
	future, err := q.js.PublishMsgAsync(m)
	if err != nil {
		return err
	}
	q.pending, q.line = append(q.pending, future), line+1
	if len(q.pending) >= inFlight {
		return q.wait(ctx, inFlight/2)
	}
	return nil
}

// wait waits until no more than left publishes are without an answer. One that
// failed is published once more: after a disconnect nobody knows.
func (q *publishQueue) wait(ctx context.Context, left int) error {
	for len(q.pending) > left {
		f := q.pending[0]
		select {
		case <-f.Ok():
		case <-f.Err():
			ctx, cancel := context.WithTimeout(ctx, storeTimeout)
			_, err := q.js.PublishMsg(ctx, f.Msg(), jetstream.WithRetryAttempts(int(storeTimeout/(250*time.Millisecond))))
			cancel()
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		q.pending = q.pending[1:]
		q.acked++
	}
	return nil
}

// settle waits a little for what is in flight, though the command ends: so it is
// known how much is stored.
func (q *publishQueue) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	_ = q.wait(ctx, 0)
}

// encoder makes the body of an event and its content type; kind is stated when
// the subject does not. Each field goes where the account's input.fields says.
func (p publishFlags) encoder(kind string, fields map[string]string) func(openid string) ([]byte, string) {
	marshal, contentType := json.Marshal, events.JSON.ContentType()
	switch {
	case p.msgpack:
		marshal, contentType = msgpack.Marshal, events.Msgpack.ContentType()
	case !p.json:
		return func(openid string) ([]byte, string) { return []byte(openid), "text/plain" }
	}
	return func(openid string) ([]byte, string) {
		body := make(map[string]any, 2)
		putAt(body, cmp.Or(fields["openid"], "openid"), openid)
		if kind != "" {
			putAt(body, cmp.Or(fields["type"], "type"), kind)
		}
		data, err := marshal(body)
		if err != nil {
			panic(err) // texts always marshal
		}
		return data, contentType
	}
}

// putAt puts a value into a document, at a path such as data.openId.
func putAt(doc map[string]any, path, value string) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			doc[name] = value
			return
		}
		inner, ok := doc[name].(map[string]any)
		if !ok {
			inner = make(map[string]any, 1)
			doc[name] = inner
		}
		doc, path = inner, rest
	}
}
