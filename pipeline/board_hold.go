package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// holdKey is where a hold is written down: at the account's key, or, if it is
// this replica's only, at a key of its own, which nobody else obeys.
func (l *Lane) holdKey(h *Hold) string {
	key := kindHold + "." + l.cfg.AppID
	if h.Own() {
		key += "." + l.board.replica
	}
	return key
}

// postHold writes a hold down as it was at a revision, 0 for none.
func (l *Lane) postHold(ctx context.Context, h *Hold, at uint64) (rev uint64, err error) {
	if l.board == nil {
		return 0, errNoBoard
	}
	value, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	return l.board.put(ctx, l.holdKey(h), value, at)
}

// announce writes down that the account is on hold, before anything is handed
// back: whoever gets it must know. If somebody else was quicker, theirs counts.
// The revision is 0 if nobody else will hear of the hold.
func (l *Lane) announce(ctx context.Context, h *Hold) (*Hold, uint64) {
	if l.board == nil {
		return h, 0
	}
	h.By = l.board.replica
	rev, err := l.postHold(ctx, h, 0)
	if err == errOutrun {
		var n note
		if n, err = l.board.fetch(ctx, l.holdKey(h)); errors.Is(err, jetstream.ErrKeyNotFound) {
			return h, 0 // and somebody has already taken it away again
		}
		if theirs := readHold(n.value); theirs != nil {
			return theirs, n.rev
		}
	}
	if err != nil {
		l.log.Warn("other replicas are not told of the hold", slog.Any("error", err))
		return h, 0
	}
	return h, rev
}

// posting is what the board says of an account, or of one replica of it.
type posting struct {
	hold *Hold  // nil: it was taken away, or never there
	rev  uint64 // 0: never there
}

// posted is what the board says: of the account, and of this replica only.
func (l *Lane) posted() (account, own posting) {
	if l.board == nil {
		return
	}
	a := l.board.get(kindHold + "." + l.cfg.AppID)
	o := l.board.get(l.holdKey(&Hold{Reason: HoldAddress}))
	return posting{readHold(a.value), a.rev}, posting{readHold(o.value), o.rev}
}

// readHold returns nil for what is no hold.
func readHold(value []byte) *Hold {
	var h Hold
	if value == nil || json.Unmarshal(value, &h) != nil || h.Reason == "" {
		return nil
	}
	return &h
}

// known is somebody of the account who worked for another replica, or before
// a restart; "" if nobody has been written down.
func (b *Board) known(appid string) string {
	return string(b.get(kindKnown + "." + appid).value)
}

// knownFor is how long somebody who is written down stays so: whoever has
// worked once works as a rule for ever, but people delete their accounts.
const knownFor = 24 * time.Hour

// noteKnown writes down somebody who works, beside the loop, for the replicas
// and for the next start.
func (l *loop) noteKnown(now time.Time) {
	if l.board == nil || l.noting || now.Sub(l.notedAt) < knownFor {
		return
	}
	openid := l.proof.known()
	if openid == "" {
		return
	}
	l.notedAt = now
	key := kindKnown + "." + l.cfg.AppID
	n := l.board.get(key)
	if n.value != nil && now.Sub(n.written) < knownFor {
		return
	}
	l.noting = true
	go func() {
		_, _ = l.board.put(l.c.abort, key, []byte(openid), n.rev) // whoever was quicker knows somebody as good
		l.noted <- struct{}{}
	}()
}
