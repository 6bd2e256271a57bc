package gateway

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// past is which ids are stored on a subject since a time.
type past struct {
	since time.Time
	ids   map[uint64]struct{} // hashes
}

var seed = maphash.MakeSeed()

// windowMargin is for clocks that differ, and for a push on its way.
const windowMargin = 10 * time.Second

// known reports whether a push was stored before it went to the spool, or by a
// process that ended before it could note so. Within the streams' window the
// server says so by itself. The error is a server that does not answer.
func (d *drain) known(ctx context.Context, e *entry, at time.Time) (bool, error) {
	if !e.Tried && !d.resumed && !d.unsure || d.g.cfg.Look == nil || time.Since(at) < d.g.cfg.Window()-windowMargin {
		return false, nil
	}
	p := d.past[e.Subject]
	if p == nil || at.Before(p.since) {
		p = &past{since: at, ids: make(map[uint64]struct{})}
		err := d.g.cfg.Look(ctx, e.Subject, at.Add(-windowMargin), func(id string) { p.ids[maphash.String(seed, id)] = struct{}{} })
		if err != nil {
			return false, err
		}
		if d.past == nil {
			d.past = make(map[string]*past)
		}
		d.past[e.Subject] = p
	}
	_, known := p.ids[maphash.String(seed, carrier(e.Header).Get(events.HeaderMsgID))]
	d.resumed = d.resumed && known
	return known, nil
}

// Look is Config.Look over JetStream.
func Look(ctx context.Context, js jetstream.JetStream, subject string, since time.Time, visit func(id string)) error {
	name, err := js.StreamNameBySubject(ctx, subject)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return err
	}
	span := scan.Span{Stream: name, Subjects: []string{subject}, Since: since, End: stream.CachedInfo().State.LastSeq}
	return scan.Read(ctx, js, span, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
		visit(carrier(m.Headers()).Get(events.HeaderMsgID))
		return true
	})
}
