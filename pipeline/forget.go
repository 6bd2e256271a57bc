package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/water"
)

// A durable in memory is gone after a restart of its server, and is made anew at
// the account's mark like any other that is gone. What it is for: the server
// need not write down for each of a thousand busy accounts what it has delivered
// to it. See pipeline/adr/0014.

// mayForget refuses what would lose events when the durable is gone.
func (l *Lane) mayForget(stream *jetstream.StreamConfig) error {
	const file = "input.durable_storage: file"
	switch {
	case l.board == nil:
		return &Refusal{l.cfg.AppID, "without a state bucket nobody knows where to go on when a durable in memory is gone", "set state.bucket, or " + file}
	case stream.Retention == jetstream.InterestPolicy:
		return &Refusal{l.cfg.AppID, fmt.Sprintf("stream %s keeps what somebody is interested in: a durable in memory is gone after a restart of the server, and its events with it", stream.Name),
			"nats stream edit " + stream.Name + " --retention limits; or set " + file}
	}
	return nil
}

// noteBegin writes down where the account's first durable begins, if the
// configuration will not say so again: a restart of the server may come before
// the first event is taken, and what is stored then must not be left out. That is
// where m says, if recall has said so. It returns that mark, or m.
func (l *Lane) noteBegin(ctx context.Context, stream *jetstream.StreamInfo, m water.Mark, recalled bool) (_ water.Mark, err error) {
	switch {
	case !l.depends():
		return m, nil
	case recalled:
	case l.cfg.Start.mode == startUnset:
		if err := l.mayGuess(ctx); err != nil {
			return m, err
		}
	case stream.State.LastSeq > 0:
		m.Floor, m.Begin = stream.State.LastSeq, stream.State.LastTime.Add(time.Nanosecond)
	}
	m.Stream, m.May = stream.Created, max(1, stream.State.LastSeq) // 0 is the mark that knows nothing
	value, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	n, err := l.board.fetch(ctx, l.markKey())
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return m, fmt.Errorf("read the mark on the input stream: %w", err)
	}
	if of, _ := parseMark(n); of.May > 0 && of.Stream.Equal(m.Stream) && of.Floor <= stream.State.LastSeq {
		return of, nil // another replica was quicker
	}
	if _, err = l.board.put(ctx, l.markKey(), value, n.rev); err != nil {
		return m, fmt.Errorf("write the mark on the input stream: %w", err)
	}
	return m, nil
}

// noted reports whether a mark says where to go on although nothing below it is
// known to be answered.
func (l *Lane) noted(m water.Mark) bool { return m.May > 0 && l.depends() }

// depends reports whether only the mark says where a durable that is gone began.
func (l *Lane) depends() bool { return l.cfg.InMemory && l.saysOnce() }
