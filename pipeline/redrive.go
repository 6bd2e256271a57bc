package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// A redrive is a task that reads dead letters in place of events. A letter's
// event keeps its identity: its answer has the source and the generation of the
// first time, and one hop more. When the answer is stored the letter is removed,
// and only then is the delivery acknowledged, so at any moment the event has an
// answer; whoever comes upon a letter that was answered and not removed finds
// the answer by looking back, and only removes the letter.

// redrives reports whether the lane is a redrive's.
func (l *Lane) redrives() bool { return l.task != nil && l.task.letters != nil }

// exhume makes of a dead letter what is to be answered. What is no letter, or is
// not meant, or cannot be tried again, is left as it is.
func (l *Lane) exhume(msg message) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	d := &delivery{msg: msg, seq: meta.Sequence.Stream, pending: meta.NumPending, deliveries: meta.NumDelivered, order: meta.Sequence.Consumer}
	letter, ok := dead.Parse(d.seq, meta.Timestamp, msg.Subject(), msg.Headers(), msg.Data())
	d.letter = &letter
	if !ok || letter.AppID != l.cfg.AppID || !l.task.letters.Has(&letter) || !letter.Redrivable(l.task.letters.MaxHops) {
		d.left = true
		return d, nil
	}
	d.event.Source = letter.Message.Source
	return d, nil
}

// generation is the replay id of a delivery's answer.
func (l *Lane) generation(d *delivery) string {
	if d.letter != nil {
		return d.letter.Replay
	}
	return l.task.replay()
}

// hop is how many redrives lead to a delivery's answer.
func (d *delivery) hop() int {
	if d.letter == nil {
		return 0
	}
	return d.letter.Hop + 1
}

// attempts is how many calls were made for a delivery's event before.
func (d *delivery) attempts() int {
	if d.letter == nil {
		return 0
	}
	return d.letter.Attempts
}

// original is the event's message as its producer sent it.
func (d *delivery) original() events.Message {
	if d.letter != nil {
		return d.letter.Message
	}
	return events.Message{Source: d.event.Source, Header: d.msg.Headers(), Data: d.msg.Data()}
}

// bury removes the letter whose answer is stored. One that is gone already is
// as good.
func (l *Lane) bury(ctx context.Context, d *delivery) error {
	if d.letter == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := l.morgue(ctx)
	if err != nil {
		return err
	}
	if err = stream.DeleteMsg(ctx, d.seq); err == nil {
		return nil
	}
	if _, gone := stream.GetMsg(ctx, d.seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("remove dead letter %d, which is answered: %w", d.seq, err)
}

// morgue is the stream of dead letters.
func (l *Lane) morgue(ctx context.Context) (jetstream.Stream, error) {
	if s := l.task.morgue.Load(); s != nil {
		return *s, nil
	}
	s, err := l.js.Stream(ctx, l.cfg.Stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", l.cfg.Stream, err)
	}
	l.task.morgue.Store(&s)
	return s, nil
}

// buryAnswered removes the letters of which an answer was found. One that
// cannot be removed now is looked for again.
func (l *Lane) buryAnswered(ctx context.Context, ds []*delivery) {
	for _, d := range ds {
		if d.found != foundAnswer {
			continue
		}
		if err := l.bury(ctx, d); err != nil {
			l.log.Warn("a dead letter that has its answer stays for now", slog.Any("error", err))
			d.found = foundNothing
		}
	}
}
