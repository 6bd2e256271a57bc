package wxapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

const (
	// sharedLease is how long a process may hold the lock: a fetch takes 10 s at
	// most. Who dies with it blocks the others no longer than that.
	sharedLease = 15 * time.Second

	// Whoever waits for another's fetch looks first after firstLook, then ever
	// more seldom.
	firstLook = 20 * time.Millisecond
	lastLook  = 500 * time.Millisecond
)

// share is how the account's token is shared, nil for not at all. With
// stable_token all processes get the same token from WeChat itself.
func (o Options) share(a *config.Account) wechat.Share {
	wanted := a.Token.Share == "true" || a.Token.Share != "false" && a.Token.Source == "classic"
	if !wanted || o.State == nil {
		return nil
	}
	s := &sharedTokens{kv: o.State, appid: a.AppID, log: o.log()}
	return s.get
}

// sharedTokens lets all processes of an account use one token, which matters
// for the classic endpoint, where every fetch ends the token before it. The
// token is in a key-value bucket; so is the lock, in the same value, so that one
// compare-and-swap both takes it and says that nothing has changed.
//
// When the bucket is out of reach a process goes on with the token in hand, and
// without one fetches by itself. Two that do so end each other's tokens within
// five minutes, are refused, and agree again as soon as the bucket is back.
type sharedTokens struct {
	kv    jetstream.KeyValue
	appid string
	log   *slog.Logger
	away  atomic.Bool // said once
}

func (s *sharedTokens) key() string { return "token." + s.appid }

// get is a wechat.Share.
func (s *sharedTokens) get(ctx context.Context, w wechat.Wanted, issue wechat.Issue) (wechat.Token, error) {
	box, err := newSealer(w.Secret, s.appid)
	if err != nil {
		return wechat.Token{}, s.failed(err)
	}
	var revision uint64
	var since time.Time // when this revision was seen first
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		state, err := readState(ctx, s.kv, s.key())
		if err != nil {
			return s.alone(ctx, w, issue, err)
		}
		now := time.Now()
		if since.IsZero() || state.revision != revision {
			revision, since = state.revision, now
		}
		kept, opened := box.open(state.Sealed)
		if opened && kept.serves(w, now) {
			s.reached()
			s.say(ctx, "access token taken over from another process", kept.Token)
			return wechat.Token{Value: wechat.Secret(kept.Token), Expires: kept.Expires}, nil
		}
		// The lease is by the holder's clock, which may be ahead: nobody waits
		// longer than a lease by their own.
		if now.Before(state.Lease) && now.Sub(since) < sharedLease {
			if !sleep(ctx, pause) {
				return wechat.Token{}, s.failed(ctx.Err())
			}
			continue
		}
		state.Lease = now.Add(sharedLease)
		switch err := state.write(ctx, s.kv, s.key()); {
		case err == nil:
			s.reached()
			return s.locked(ctx, box, state, kept, issue)
		case !errors.Is(err, errOvertaken):
			return s.alone(ctx, w, issue, err)
		}
	}
}

// locked fetches, tells the others, and gives the lock back.
func (s *sharedTokens) locked(ctx context.Context, box sealer, state sharedState, kept sharedToken, issue wechat.Issue) (wechat.Token, error) {
	token, spent, err := issue(ctx, kept.Spent)
	state.Lease = time.Time{}
	if err == nil {
		kept = sharedToken{Token: token.Value.Reveal(), Expires: token.Expires}
	}
	kept.Spent = spent
	// What another secret has sealed stays: this one does not get a token, that
	// one may have.
	if _, opened := box.open(state.Sealed); err == nil || opened || len(state.Sealed) == 0 {
		sealed, sealErr := box.seal(kept)
		if sealErr != nil {
			return token, err
		}
		state.Sealed = sealed
	}
	// Also when ctx has ended. A failure costs the others the lease, and us
	// nothing: the token is good.
	writeErr := state.write(context.WithoutCancel(ctx), s.kv, s.key())
	if writeErr != nil && !errors.Is(writeErr, errOvertaken) {
		s.lost(writeErr)
	}
	if err == nil {
		s.say(ctx, "access token fetched for all processes", kept.Token)
	}
	return token, err
}

// alone gets a token without the bucket.
func (s *sharedTokens) alone(ctx context.Context, w wechat.Wanted, issue wechat.Issue, cause error) (wechat.Token, error) {
	if ctx.Err() != nil {
		return wechat.Token{}, s.failed(ctx.Err())
	}
	s.lost(cause)
	if w.Current.Value != "" {
		return wechat.Token{}, s.failed(cause) // it serves on
	}
	token, _, err := issue(ctx, time.Time{})
	return token, err
}

func (s *sharedTokens) failed(err error) error {
	return &wechat.Error{Op: "shared token", Class: wechat.Transient, Err: err}
}

func (s *sharedTokens) lost(err error) {
	if s.away.CompareAndSwap(false, true) {
		s.log.Warn("the bucket with the shared access token is out of reach: this process fetches by itself when it has none",
			slog.String("appid", s.appid), slog.String("bucket", s.kv.Bucket()), slog.Any("error", err))
	}
}

func (s *sharedTokens) reached() {
	if s.away.CompareAndSwap(true, false) {
		s.log.Info("the bucket with the shared access token is back", slog.String("appid", s.appid))
	}
}

// say names a token by the beginning of its hash.
func (s *sharedTokens) say(ctx context.Context, what, token string) {
	sum := sha256.Sum256([]byte(token))
	s.log.LogAttrs(ctx, slog.LevelDebug, what, slog.String("appid", s.appid), slog.String("sha256", hex.EncodeToString(sum[:4])))
}

// sleep waits for d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
