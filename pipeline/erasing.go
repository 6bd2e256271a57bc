package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// EraseConfig is how people of an account are erased. Orders that others have
// left are done whatever it says, if there is a ledger.
type EraseConfig struct {
	Unsubscribed bool          // whoever unsubscribes is erased
	After        time.Duration // so long after that; who follows again meanwhile stays

	Places   []erase.Place     // where there may be messages about people
	Notices  events.StreamSpec // of notices to consumers, made if it is missing
	Subject  string            // of a notice
	Replicas int               // of the ledger's bucket
}

const (
	// erasePass is how often the streams are read for those who have unsubscribed,
	// all at once: a reading takes as long for one as for a thousand.
	erasePass = time.Hour
	// eraseRetry is the wait after it has failed.
	eraseRetry = 10 * time.Minute
)

// orderErasure has whoever has unsubscribed erased, in time. It is written down
// before the event is acknowledged.
func (l *Lane) orderErasure(ctx context.Context, a answer) error {
	e := &a.delivery.event
	if !l.cfg.Erase.Unsubscribed || l.erased == nil || l.task != nil || l.limit != nil || a.cause != nil || !strings.EqualFold(e.Type, "unsubscribe") {
		return nil
	}
	if err := l.erased.Prepare(ctx, l.cfg.Erase.Replicas, l.cfg.Manage); err != nil {
		return err
	}
	_, err := l.erased.Place(ctx, erase.Order{
		AppID: l.cfg.AppID, OpenID: e.OpenID, UpTo: e.Source.Time, Due: e.Source.Time.Add(l.cfg.Erase.After),
		Why: events.ErasedByUnsubscribe, By: l.cfg.Durable,
	})
	return err
}

// erasePeople does the account's orders when they are due, until ctx ends, and
// forgets in memory whoever is erased. Of several replicas one does them.
func (l *Lane) erasePeople(ctx context.Context) {
	changed, stop := l.erased.Subscribe(l.cfg.AppID)
	defer stop()
	var last time.Time // when the streams were read last
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-changed:
		}
		l.forgetErased()
		wait := l.untilErasing(time.Now(), last)
		if wait == 0 {
			last = time.Now()
			if l.eraseDue(ctx); ctx.Err() != nil {
				return
			}
			wait = l.untilErasing(time.Now(), last)
		}
		timer.Reset(wait)
	}
}

// untilErasing is how long nothing is to be done unless something changes.
func (l *Lane) untilErasing(now, last time.Time) time.Duration {
	wait := time.Hour
	for _, o := range l.erased.Orders(l.cfg.AppID) {
		at := o.Due
		if o.Why == events.ErasedByUnsubscribe {
			at = latest(at, last.Add(min(erasePass, max(l.cfg.Erase.After, eraseRetry))))
		} else if !last.IsZero() { // else whoever ordered it has died
			at = latest(at, last.Add(eraseRetry))
		}
		wait = min(wait, max(0, at.Sub(now), l.erased.Taken(l.cfg.AppID, now)))
	}
	return wait
}

// eraseDue does what is due.
func (l *Lane) eraseDue(ctx context.Context) {
	err := l.erased.Hold(ctx, l.cfg.AppID, nil, func(ctx context.Context) error {
		now := time.Now()
		var due []erase.Standing
		for _, o := range l.erased.Orders(l.cfg.AppID) {
			if !o.Due.After(now) {
				due = append(due, o)
			}
		}
		if len(due) == 0 {
			return nil // somebody has done it
		}
		r, err := NewErasure(ctx, l.js, l.erased, l.board, l.cfg).Run(ctx, due)
		if err != nil {
			return err
		}
		var removed uint64
		for _, s := range r.Swept {
			removed += s.Removed
		}
		l.log.Info("people are erased", slog.Int("people", r.People), slog.Int("spared", r.Spared), slog.Uint64("messages", removed))
		return nil
	})
	if err != nil && ctx.Err() == nil {
		l.log.Warn("people who are to be erased are not, or not wholly", slog.Any("error", err), slog.Duration("next_try", eraseRetry))
	}
}

// NewErasure is how people of an account are erased; the board may be nil. Where
// replays have sent records elsewhere they are looked for there too.
func NewErasure(ctx context.Context, js jetstream.JetStream, ledger *erase.Ledger, board *Board, cfg Config) *erase.Erasure {
	places := slices.Clone(cfg.Erase.Places)
	for _, j := range board.Jobs(cfg.AppID) {
		t, err := events.ParseTemplate(j.Spec.Output, "appid", "openid", "unionid", "type")
		if j.Spec.Output == "" || err != nil {
			continue
		}
		name, err := js.StreamNameBySubject(ctx, answersOf(t, cfg.AppID))
		if err == nil && !slices.ContainsFunc(places, func(p erase.Place) bool { return p.Stream == name }) {
			places = append(places, erase.Place{Stream: name})
		}
	}
	return &erase.Erasure{
		Ledger: ledger, JS: js, Notices: cfg.Erase.Notices, Subject: cfg.Erase.Subject, Manage: cfg.Manage,
		Scope: erase.Scope{AppID: cfg.AppID, Fields: cfg.Fields, Places: places}, Settle: erase.Settle,
		Clean: func(ctx context.Context, erased func(string, time.Time) bool, dryRun bool) ([]erase.Swept, error) {
			places, err := BlankCrawls(ctx, js, cfg.Crawls, erased, dryRun)
			if !dryRun {
				err = errors.Join(board.Forget(ctx, cfg.AppID, erased), err)
			}
			if places.Found == 0 {
				return nil, err
			}
			return []erase.Swept{places}, err
		},
	}
}

// forgetErased drops from memory what is known of those who are erased.
func (l *Lane) forgetErased() {
	if !l.erased.Some() {
		return
	}
	l.recent.forget(l.cfg.AppID, func(openid, unionid string, at time.Time) bool {
		return l.erased.Covers(l.cfg.AppID, openid, unionid, at)
	})
	if openid := l.proof.known(); openid != "" && !l.erased.UpTo(l.cfg.AppID, openid).IsZero() {
		l.proof.good("")
	}
}
