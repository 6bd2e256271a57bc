package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// whileHeld waits until the account is not on hold for this replica: it asks for
// nothing then. A dry run waits no longer than a hold needs that has been ended,
// since somebody waits for it; and one call of user/get is made also while the
// calls of look-ups are spent.
func (b *backfill) whileHeld(ctx context.Context) error {
	waits := false
	var impatient <-chan time.Time
	if b.j.Spec.DryRun {
		impatient = time.After(2 * freeJitter)
	}
	for ctx.Err() == nil {
		s, changed := b.live.state.watch()
		if s.Phase != Held {
			break
		}
		if b.j.Spec.DryRun && s.Hold.Reason == HoldDailyQuota {
			break
		}
		b.say("the account is on hold: " + s.Hold.Reason)
		waits = true
		select {
		case <-changed:
		case <-impatient:
			return fmt.Errorf("the account is on hold: %s; %s", s.Hold.Reason, s.Hold.Hint)
		case <-ctx.Done():
		}
	}
	if waits {
		b.say(listing)
	}
	return nil
}

// soon reports whether an error may be over in moments.
func soon(e *wechat.Error) bool {
	switch e.Class {
	case wechat.Transient, wechat.StaleToken, wechat.Unknown:
		return e.After < time.Minute
	}
	return false
}

// mendable reports whether a class of errors is the account's, and somebody may
// mend it: live traffic would be held.
func mendable(c wechat.Class) bool {
	switch c {
	case wechat.Operator, wechat.Permission, wechat.Address, wechat.StaleToken, wechat.Unknown:
		return true
	}
	return false
}

// rest waits as long as a hold for this error would until the account is tried,
// which was refused so often before; less if a hold ends meanwhile. It brings no
// hold about: user/get has rights of its own, and live traffic may fare well.
func (b *backfill) rest(ctx context.Context, e *wechat.Error, before int) {
	h := b.holdFor(e)
	h.Probes = before
	h.schedule(time.Now(), b.rand)
	why := "user/get is refused"
	if h.Code != 0 {
		why += " with errcode " + strconv.Itoa(h.Code)
	}
	b.log.Warn("the followers can't be listed now", slog.Any("error", e), slog.Time("again", h.Until))
	b.say(why + ", and asked again now and then; what to do: " + e.Advice())
	again := time.NewTimer(time.Until(h.Until))
	defer again.Stop()
	for {
		s, changed := b.live.state.watch()
		if s.Phase == Held {
			_ = b.whileHeld(ctx) // no dry run rests
			return
		}
		select {
		case <-changed:
			continue
		case <-again.C:
		case <-ctx.Done():
		}
		b.say(listing)
		return
	}
}
