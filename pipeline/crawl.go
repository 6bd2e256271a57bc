package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat"
)

// listing is what a backfill does first.
const listing = "listing the followers"

// crawlPart is the most bytes of a list in one message, below any usual
// max_payload. Every message ends with the cursor of what comes behind it.
const crawlPart = 400 << 10

// crawl lists the followers. A page is asked for behind the last openid that
// is stored, and stored behind the message that held it: of two who list, one
// is refused. The last message of a list is empty.
func (b *backfill) crawl(ctx context.Context) error {
	b.say(listing)
	subject := b.cfg.Crawls.of(b.j.ID)
	last, err := b.list.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		last, err = &jetstream.RawStreamMsg{}, nil
	}
	if err != nil {
		return err
	}
	part, cursors := 0, []string(nil)
	if last.Sequence > 0 {
		if part, err = b.cfg.Crawls.partOf(last.Header); err != nil {
			return err
		}
		if cursors = strings.Fields(string(last.Data)); len(cursors) == 0 {
			b.now.Whole = true
			return b.save(ctx, nil)
		}
	}
	for seq := last.Sequence; ; {
		page, err := b.behindOne(ctx, cursors)
		if err != nil {
			return err
		}
		b.now.Followers, b.now.Calls = page.Total, b.now.Calls+1
		for {
			n := fitting(page.OpenIDs)
			part++
			ack, err := b.js.PublishMsg(ctx, &nats.Msg{
				Subject: subject, Data: []byte(strings.Join(page.OpenIDs[:n], "\n")),
				Header: nats.Header{events.HeaderMsgID: {b.j.ID + ":" + strconv.Itoa(part)}},
			}, jetstream.WithExpectLastSequencePerSubject(seq), jetstream.WithRetryAttempts(publishAttempts))
			if err != nil {
				return listingFailed(err)
			}
			if n > 0 {
				seq, cursors = ack.Sequence, page.OpenIDs[:n]
			}
			b.now.Listed += int64(n)
			if page.OpenIDs = page.OpenIDs[n:]; len(page.OpenIDs) == 0 {
				b.now.Whole = n == 0
				break
			}
		}
		b.behind(b.now.Listed, max(b.now.Followers, b.now.Listed))
		if err := b.save(ctx, nil); err != nil || b.now.Whole {
			return err
		}
	}
}

// publishAttempts outlasts the election of a leader, at a quarter of a second
// each.
const publishAttempts = 60

// listingFailed tells a page that somebody else has stored from other errors.
func listingFailed(err error) error {
	const wrongLastSequence, wrongLastSequenceConstant = 10071, 10164
	api, ok := errors.AsType[*jetstream.APIError](err)
	if ok && (api.ErrorCode == wrongLastSequence || api.ErrorCode == wrongLastSequenceConstant) {
		return job.ErrLost
	}
	return fmt.Errorf("store the list of followers: %w", err)
}

// fitting is how many of the openids go into one message.
func fitting(openids []string) int {
	n, size := 0, 0
	for n < len(openids) && size+len(openids[n]) < crawlPart {
		size += len(openids[n]) + 1
		n++
	}
	return n
}

// cursorTries is how many openids of a page are tried as the place behind which
// the next begins: the last one may have left meanwhile.
const cursorTries = 5

// behindOne is the page behind the last of the openids that WeChat knows.
func (b *backfill) behindOne(ctx context.Context, cursors []string) (page wechat.Page, err error) {
	if len(cursors) == 0 {
		return b.page(ctx, "")
	}
	for i := range min(cursorTries, len(cursors)) {
		page, err = b.page(ctx, cursors[len(cursors)-1-i])
		if e := failure(err); e == nil || e.Class != wechat.BadOpenID {
			return page, err
		}
		b.now.Calls++
	}
	return page, err
}

// crawlTries is how often in a row a page is asked for that is refused in a way
// that may pass but need not: a token that somebody keeps replacing, a code that
// the table does not know.
const crawlTries = 6

// page asks for one page, for as long as it takes; a dry run only as long as
// somebody would wait for it. It is no look-up: user/get has a quota of its own,
// and nothing is known of anybody by it.
func (b *backfill) page(ctx context.Context, next string) (page wechat.Page, err error) {
	wait := newBackOff(b.cfg.RetryInitial, b.cfg.RetryMax, b.rand)
	spentWait := 2 * time.Minute // it may be a limit a minute in disguise
	refused := 0
	for tries := 1; ; {
		if err := b.whileHeld(ctx); err != nil {
			return page, err
		}
		began, ok := b.turn(ctx)
		if !ok {
			return page, context.Cause(ctx)
		}
		page, err = b.wechat.Followers(ctx, next)
		b.throttle.heed(began, err, b.rand())
		e := failure(err)
		switch {
		case err == nil:
			return page, nil
		case ctx.Err() != nil:
			return page, context.Cause(ctx)
		case e == nil:
			return page, err
		case b.j.Spec.DryRun && !soon(e):
			return page, fmt.Errorf("list the followers: %w; %s", err, e.Advice())
		case b.j.Spec.DryRun && tries == crawlTries:
			return page, fmt.Errorf("list the followers, asked %d times: %w", tries, err)
		case b.j.Spec.DryRun:
			tries++
			wait.wish = e.After
			sleep(ctx, wait.NextBackOff())
		case e.Class == wechat.DailyQuota:
			b.say("the day's calls of user/get are spent; it goes on after midnight in Beijing, or within an hour after they are raised or cleared")
			now := time.Now()
			sleep(ctx, min(spentWait, afterMidnight(now, b.rand).Sub(now)))
			spentWait = time.Hour
			b.say(listing)
		case e.Class == wechat.Transient, e.Class == wechat.MinuteLimit:
			wait.wish = e.After
			sleep(ctx, wait.NextBackOff())
		case tries < crawlTries && (e.Class == wechat.StaleToken || e.Class == wechat.Unknown):
			tries++
			sleep(ctx, wait.NextBackOff())
		case mendable(e.Class):
			b.rest(ctx, e, refused)
			refused++
		default:
			return page, fmt.Errorf("list the followers: %w; %s", err, e.Advice())
		}
	}
}
