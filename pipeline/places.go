package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// place is where answers are.
type place struct {
	stream  string
	subject string
	window  time.Duration // in which the stream knows a repeat by its id
	fills   outputSet     // what is there answers for these outputs
}

// whereabouts are the places of an account's answers, as they were at a time: the
// outputs in their order, then the dead letters.
type whereabouts struct {
	places []place
	at     time.Time
}

// placesFor is how long places are taken to be as they were. They are asked for
// again only when there are repeats.
const placesFor = 10 * time.Second

// old reports whether an operator may have edited or moved a stream since.
func (w *whereabouts) old(now time.Time) bool { return w == nil || elapsed(w.at, now) > placesFor }

// findPlaces says where the account's answers are.
func (l *Lane) findPlaces(ctx context.Context) (*whereabouts, error) {
	found := &whereabouts{at: time.Now()}
	for i := range len(l.cfg.Outputs) + 1 {
		t, fills := l.cfg.Dead, l.cfg.allOutputs()
		if i < len(l.cfg.Outputs) {
			t, fills = l.cfg.Outputs[i].Subject, onlyOutput(i)
		}
		subject := answersOf(t, l.cfg.AppID)
		name, err := l.js.StreamNameBySubject(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("stream of %s: %w", subject, err)
		}
		stream, err := l.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		found.places = append(found.places, place{name, subject, stream.CachedInfo().Config.Duplicates, fills})
	}
	return found, nil
}

// answersOf is the subject of all answers of an account.
func answersOf(t events.Template, appid string) string { return answersAt(t.String(), appid) }

// answersAt is the same of a template's text, with a wildcard for what varies.
func answersAt(template, appid string) string {
	tokens := strings.Split(strings.ReplaceAll(template, "{appid}", appid), ".")
	for i, token := range tokens {
		if strings.Contains(token, "{") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// window is how long the server knows an answer by its id, on all places.
func window(places []place) time.Duration {
	if len(places) == 0 {
		return 0
	}
	window := places[0].window
	for _, p := range places[1:] {
		window = min(window, p.window)
	}
	return window
}

// untouched reports whether nothing can have been answered, although no mark says
// so: then a backlog that takes longer than the output knows ids need not be looked
// for. A job is in the same bucket as its mark, so its own durable tells; an account's
// may be another than it was, and its answers tell. Who has taken an event of this
// durable meanwhile is no matter: of that the server keeps count.
func (l *Lane) untouched(ctx context.Context, b *binding, places []place) bool {
	if l.task != nil {
		return b.order == 0
	}
	for _, p := range places {
		if n, err := l.holds(ctx, p); n > 0 || err != nil {
			return false
		}
	}
	return true
}

// holds is how many of the account's answers a place has.
func (l *Lane) holds(ctx context.Context, p place) (uint64, error) {
	c, err := l.js.CreateConsumer(ctx, p.stream, looking(p))
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.js.DeleteConsumer(context.WithoutCancel(ctx), p.stream, c.CachedInfo().Name) }()
	return c.CachedInfo().NumPending, nil
}

// looking is a consumer of a place's answers, from the first.
func looking(p place) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Description:       "wxenrich looks back",
		FilterSubject:     p.subject,
		AckPolicy:         jetstream.AckNonePolicy,
		HeadersOnly:       true,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: time.Minute,
	}
}
