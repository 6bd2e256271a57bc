package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

const (
	// eventChunk is how many events are stored at once.
	eventChunk = 500
	// eventRate is the most events a second that are made: live traffic uses
	// the same stream.
	eventRate = 20_000
)

// crawled is one event that a backfill makes. Its number is its place in the
// list, so it has the same id whoever makes it.
type crawled struct {
	id     string
	openid string
}

// people are openids by their hashes: a list of millions has to fit into memory.
type people map[uint64]struct{}

func personHash(openid string) uint64 { return maphash.String(seed, openid) }

func (p people) has(openid string) bool { _, ok := p[personHash(openid)]; return ok }

func (p people) add(openid string) (fresh bool) {
	n := len(p)
	p[personHash(openid)] = struct{}{}
	return len(p) > n
}

// publish makes the events that are not stored yet, and then the job's range.
func (b *backfill) publish(ctx context.Context) error {
	input, err := b.js.Stream(ctx, b.cfg.Stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
	}
	subject := b.j.Range.Subjects[0]
	there := make(people)
	if b.now.After == 0 {
		b.now.After = input.CachedInfo().State.LastSeq + 1 // 0 means that none can be there
		if err := b.save(ctx, nil); err != nil {
			return err
		}
	} else if there, err = b.published(ctx, input, subject); err != nil {
		return err
	}
	wanted, err := b.wanted(ctx)
	if err != nil {
		return err
	}
	total := int64(len(wanted))
	wanted = slices.DeleteFunc(wanted, func(e crawled) bool { return there.has(e.id) })
	for chunk := range slices.Chunk(wanted, eventChunk) {
		began := time.Now()
		b.behind(total-int64(len(wanted)), total)
		if err := b.store(ctx, subject, chunk); err != nil {
			return err
		}
		wanted = wanted[len(chunk):]
		sleep(ctx, time.Duration(len(chunk))*time.Second/eventRate-time.Since(began))
	}
	if input, err = b.js.Stream(ctx, b.cfg.Stream); err != nil {
		return fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
	}
	info := input.CachedInfo()
	return b.save(ctx, func(j *job.Job) {
		j.Progress = job.Progress{Total: total, Active: j.Progress.Active}
		if total > 0 {
			j.Range.Stream, j.Range.Born = b.cfg.Stream, info.Created
			j.Range.From, j.Range.To = b.now.After, info.State.LastSeq
		}
	})
}

// store stores events. A repeat is dropped by its id.
func (b *backfill) store(ctx context.Context, subject string, chunk []crawled) error {
	pause := newBackOff(b.cfg.RetryInitial, max(maxPublishPause, b.cfg.RetryInitial), b.rand)
	for len(chunk) > 0 {
		msgs := make([]*nats.Msg, len(chunk))
		for i, e := range chunk {
			msgs[i] = &nats.Msg{Subject: subject, Data: []byte(e.openid), Header: nats.Header{events.HeaderMsgID: {e.id}}}
		}
		var failed error
		var left []crawled
		for i, err := range b.out.publishAll(msgs) {
			if err != nil {
				left, failed = append(left, chunk[i]), err
			}
		}
		if failed == nil {
			return nil
		}
		if errors.Is(failed, jetstream.ErrNoStreamResponse) {
			b.say("no stream takes " + subject)
		}
		if chunk = left; !sleep(ctx, pause.NextBackOff()) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// published is the ids of the job's events that are stored.
func (b *backfill) published(ctx context.Context, input jetstream.Stream, subject string) (people, error) {
	ids := make(people)
	err := scan.Read(ctx, b.js, scan.Span{
		Stream: b.cfg.Stream, Subjects: []string{subject}, From: b.now.After, End: input.CachedInfo().State.LastSeq,
	}, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
		ids.add(m.Headers().Get(events.HeaderMsgID))
		return true
	})
	return ids, err
}

// wanted is of whom there are to be events: of all who are listed, each once,
// or of those that the job asks for.
func (b *backfill) wanted(ctx context.Context) ([]crawled, error) {
	known := make(people)
	if b.j.Spec.Missing {
		if err := b.recorded(ctx, known); err != nil {
			return nil, err
		}
	}
	before := make(people)
	if b.j.Spec.SinceCrawl != "" {
		if _, err := b.cfg.Crawls.read(ctx, b.js, b.j.Spec.SinceCrawl, func(_ int, openid string, _ time.Time) { before.add(openid) }); err != nil {
			return nil, err
		}
	}
	var wanted []crawled
	listed := make(people)
	_, err := b.cfg.Crawls.read(ctx, b.js, b.j.ID, func(n int, openid string, at time.Time) {
		if !listed.add(openid) || !events.ValidOpenID(openid) || known.has(openid) || before.has(openid) || b.erased.Covers(b.cfg.AppID, openid, "", at) {
			return
		}
		wanted = append(wanted, crawled{b.j.ID + "-" + strconv.Itoa(n), strings.Clone(openid)})
	})
	if err != nil || b.j.Spec.SinceCrawl == "" {
		return wanted, err
	}
	b.now.Joined = int64(len(wanted))
	_, err = b.cfg.Crawls.read(ctx, b.js, b.j.Spec.SinceCrawl, func(n int, openid string, at time.Time) {
		if !listed.add(openid) || !events.ValidOpenID(openid) || b.erased.Covers(b.cfg.AppID, openid, "", at) {
			return
		}
		wanted = append(wanted, crawled{b.j.ID + "-left-" + strconv.Itoa(n), strings.Clone(openid)})
	})
	b.now.Left = int64(len(wanted)) - b.now.Joined
	return wanted, err
}

// recorded adds everybody of whom the first output holds a record.
func (b *backfill) recorded(ctx context.Context, known people) error {
	subject := answersOf(b.cfg.Outputs[0].Subject, b.cfg.AppID)
	name, err := b.js.StreamNameBySubject(ctx, subject)
	if err != nil {
		return fmt.Errorf("stream of %s: %w", subject, err)
	}
	output, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("stream %s: %w", name, err)
	}
	return scan.Read(ctx, b.js, scan.Span{Stream: name, Subjects: []string{subject}, End: output.CachedInfo().State.LastSeq},
		func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
			if h := m.Headers(); h.Get(events.HeaderAppID) == b.cfg.AppID {
				known.add(h.Get(events.HeaderOpenID))
			}
			return true
		})
}
