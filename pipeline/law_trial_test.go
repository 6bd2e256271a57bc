package pipeline_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
)

// A trial is a story as it happens.
type trial struct {
	*world
	story   story
	rand    *rand.Rand
	running [replicas]*process
	dying   []*process       // crashed, and not quite gone
	mending []func()         // of WeChat
	lasting map[string]drawn // events by payload
	lost    time.Time        // an answer before that may have been lost with its stream
}

// furnish sets the streams to what the story wants.
func (tr *trial) furnish() {
	for _, name := range append(tr.story.outputs(), "WX_DEAD") {
		tr.update(name, func(c *jetstream.StreamConfig) {
			c.Duplicates = tr.story.window
			c.MaxAge = 0 // it goes by another clock: see eventstest.Bubble
		})
	}
	tr.newBucket()
}

func (w *world) update(stream string, change func(*jetstream.StreamConfig)) {
	w.Helper()
	s, err := w.js.Stream(w.Context(), stream)
	if err != nil {
		w.Fatal(err)
	}
	c := s.CachedInfo().Config
	change(&c)
	if _, err := w.js.UpdateStream(w.Context(), c); err != nil {
		w.Fatal(err)
	}
}

func (tr *trial) newBucket() {
	if _, err := tr.js.CreateKeyValue(tr.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
		tr.Fatal(err)
	}
}

// renew deletes a stream and makes it anew, empty.
func (tr *trial) renew(stream string) {
	s, err := tr.js.Stream(tr.Context(), stream)
	if err != nil {
		tr.Fatal(err)
	}
	if err := tr.js.DeleteStream(tr.Context(), stream); err != nil {
		tr.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	if _, err := tr.js.CreateStream(tr.Context(), s.CachedInfo().Config); err != nil {
		tr.Fatal(err)
	}
}

// take lets one step happen.
func (tr *trial) take(x step) {
	tr.Helper()
	ctx := tr.Context()
	switch r := tr.running[x.replica]; x.verb {
	case "publish":
		for _, e := range x.events {
			tr.store(e)
		}
	case "burst":
		for i := range x.n {
			tr.store(drawn{good, i % people})
		}
	case "start":
		tr.startReplica(x.replica)
	case "stop":
		tr.stopReplica(x.replica)
	case "crash":
		if r == nil {
			return
		}
		// At once, or in the middle of what it says to the server next.
		r.crash(x.n*x.n, time.Duration(x.n)*10*time.Millisecond)
		tr.dying, tr.running[x.replica] = append(tr.dying, r), nil
	case "cut":
		if r != nil {
			r.link.cutAfter(1 + tr.rand.IntN(20_000))
			time.Sleep(time.Duration(tr.rand.IntN(int(2 * time.Second))))
			r.link.cut()
			time.Sleep(x.wait)
			r.link.mend()
		}
	case "stall":
		if r != nil {
			resume := r.link.stop()
			time.Sleep(min(x.wait, 20*time.Second))
			resume()
		}
	case "fault":
		f := faults[x.n%len(faults)]
		tr.mending = append(tr.mending, tr.sim.Inject(f))
	case "mend":
		tr.mend()
	case "hold":
		tr.onBoard(func(b *pipeline.Board) error {
			return b.Hold(ctx, appid, "somebody", "a test", time.Time{})
		})
	case "resume":
		tr.onBoard(func(b *pipeline.Board) error { _, err := b.Resume(ctx, appid); return err })
	case "fill output":
		tr.update("WX_PROFILES", func(c *jetstream.StreamConfig) { c.MaxMsgs = int64(tr.held("WX_PROFILES") + 1 + x.n/10) })
	case "free output":
		tr.update("WX_PROFILES", func(c *jetstream.StreamConfig) { c.MaxMsgs = -1 })
	case "delete durable":
		_ = tr.js.DeleteConsumer(ctx, "WX_EVENTS", tr.story.lane().Durable) // it may not be there yet
	case "rewind durable":
		tr.rewind(uint64(x.n) + 1)
	case "delete bucket":
		if err := tr.js.DeleteKeyValue(ctx, "WX_STATE"); err != nil {
			tr.Fatal(err)
		}
		tr.newBucket()
	case "delete input":
		tr.renew("WX_EVENTS")
	case "delete output":
		tr.lost = time.Now()
		tr.renew("WX_PROFILES")
	case "restart server":
		tr.nats.Stop()
		time.Sleep(x.wait)
		tr.nats.Start()
		tr.until("the server is back", func() bool { _, err := tr.js.Conn().RTT(); return err == nil })
	case "audit":
		tr.audit()
	}
}

// rewind makes the durable anew where it was before, as a restored backup does.
func (tr *trial) rewind(seq uint64) {
	c, err := tr.js.Consumer(tr.Context(), "WX_EVENTS", tr.story.lane().Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return
	}
	if err != nil {
		tr.Fatal(err)
	}
	info := c.CachedInfo()
	cfg := info.Config
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, min(seq, info.AckFloor.Stream+1)
	if err := tr.js.DeleteConsumer(tr.Context(), "WX_EVENTS", cfg.Durable); err != nil {
		tr.Fatal(err)
	}
	_, _ = tr.js.CreateConsumer(tr.Context(), "WX_EVENTS", cfg) // a lane may be quicker
}

func (tr *trial) mend() {
	for _, f := range tr.mending {
		f()
	}
	tr.mending = nil
}

// onBoard says something to the replicas.
func (tr *trial) onBoard(f func(*pipeline.Board) error) {
	tr.Helper()
	kv, err := tr.js.KeyValue(tr.Context(), "WX_STATE")
	if err != nil {
		tr.Fatal(err)
	}
	b, err := pipeline.OpenBoard(tr.Context(), kv, slog.New(slog.DiscardHandler))
	if err != nil {
		tr.Fatal(err)
	}
	defer b.Close()
	if err := f(b); err != nil {
		tr.Fatal(err)
	}
}

// store publishes one event.
func (tr *trial) store(e drawn) (seq uint64) {
	tr.Helper()
	id, subject := tr.acc.OpenID(e.person), "wx.events."+appid+".subscribe"
	var body string
	switch e.kind {
	case good:
		body = id
	case goodJSON:
		body = fmt.Sprintf(`{"openid":%q,"id":"of the producer","time":"2020-01-01T00:00:00Z"}`, id)
	case unsubscribed:
		body = fmt.Sprintf(`{"openid":%q,"type":"unsubscribe"}`, id)
	case noOpenID:
		body = fmt.Sprintf("person %d", e.person)
	case malformed:
		body = fmt.Sprintf(`{"openid":%q,`, id)
	case elsewhere:
		body = fmt.Sprintf(`{"openid":%q,"appid":"wxfedcba9876543210"}`, id)
	case refused:
		body = tr.acc.BadOpenID(e.person)
	case notOurs:
		body, subject = `{"openid":"`+id+`","id":"view"}`, "wx.events."+appid+".view"
	}
	tr.lasting[body] = e
	ack, err := tr.js.Publish(tr.Context(), subject, []byte(body))
	if err != nil {
		tr.Fatal(err)
	}
	return ack.Sequence
}
