package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/wechat"
)

// Nothing is stored of whoever is erased, whatever leads to it: an event that
// is delivered again, a replay, a redrive, a backfill. What counts is when the
// event was stored that an answer goes back to, so that who follows anew is
// answered. A backfill makes events of today of people who may never have come
// anew: there it is when they followed, as WeChat says.

// never is before every tombstone.
var never = time.Unix(0, 0)

// erasedSince reports whether there is nothing to answer to a delivery.
func (l *Lane) erasedSince(d *delivery) bool {
	if !l.erased.Some() {
		return false
	}
	unionid := ""
	if d.record != nil {
		unionid = d.record.UnionID
	}
	return l.erased.Covers(l.cfg.AppID, d.event.OpenID, unionid, d.event.Source.Time)
}

// erasedAsOf is what an answer to an event goes back to of which nobody knows
// what WeChat says.
func erasedAsOf(kind string, stored time.Time) time.Time {
	if kind == BackfillType {
		return never // nobody knows when the person followed
	}
	return stored
}

// Withheld says, for whoever misses the answer to an event, whether it may have
// none since its person is erased. A backfill's may, whenever it was made: it
// needs none unless the person has followed anew, which WeChat alone knows.
func Withheld(l *erase.Ledger) func(appid, openid, kind string, stored time.Time) bool {
	return func(appid, openid, kind string, stored time.Time) bool {
		return l.Covers(appid, openid, "", erasedAsOf(kind, stored))
	}
}

// followedAt is when a person followed last.
func followedAt(u *wechat.User) time.Time {
	switch {
	case u.Subscribe == 0:
		return never
	case u.SubscribeTime != 0:
		return time.Unix(u.SubscribeTime, 0)
	}
	var row struct {
		SubscribeTime int64 `json:"subscribe_time"`
	}
	if json.Unmarshal(u.Raw, &row) != nil { // of an answer that is remembered there is no more
		return never
	}
	return time.Unix(row.SubscribeTime, 0)
}

// withoutErased acks those of whom nothing is to be stored, and returns the
// others; left are those whose dead letter could not be removed.
func (l *Lane) withoutErased(ctx context.Context, answers []answer) (kept, left []answer, failed error) {
	some := l.erased.Some()
	for i, a := range answers {
		gone := a.fills == 0 || some && l.erased.Covers(l.cfg.AppID, a.delivery.event.OpenID, a.unionID(), a.asOf)
		if gone && kept == nil {
			kept = append(make([]answer, 0, len(answers)), answers[:i]...)
		}
		switch {
		case !gone:
			if kept != nil {
				kept = append(kept, a)
			}
			continue
		case a.delivery.settled: // by its answer for another output
			continue
		case a.delivery.letter != nil:
			if err := l.erase(ctx, a.delivery); err != nil {
				left, failed = append(left, a), err
				continue
			}
		}
		if unionid := a.unionID(); unionid != "" {
			if err := l.erased.BuryToo(ctx, l.cfg.AppID, a.delivery.event.OpenID, unionid); err != nil {
				l.log.Warn("an event of somebody who is erased by unionid has no answer, and the audit may take it for missing; may this user publish on $KV.<erase.bucket>.stone.>?", slog.Any("error", err))
			}
		}
		a.delivery.settled = true
		_ = a.delivery.msg.Ack()
		a.delivery.ended("erased")
		l.stats.erased.Add(1)
	}
	if kept == nil {
		kept = answers
	}
	return kept, left, failed
}

// erase overwrites and removes a dead letter.
func (l *Lane) erase(ctx context.Context, d *delivery) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := l.morgue(ctx)
	if err != nil {
		return err
	}
	if err = stream.SecureDeleteMsg(ctx, d.seq); err == nil {
		return nil
	}
	if _, gone := stream.GetMsg(ctx, d.seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("erase dead letter %d: %w", d.seq, err)
}
