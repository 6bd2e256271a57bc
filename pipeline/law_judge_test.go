package pipeline_test

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

func (tr *trial) audit() audit.Balance {
	tr.Helper()
	var sum audit.Report
	for _, output := range tr.story.outputs() {
		l := audit.DefaultLane(appid)
		l.Output, l.Several = output, tr.story.second
		r, err := audit.Run(tr.Context(), tr.js, audit.Scope{Lanes: []audit.Lane{l}})
		if err != nil {
			tr.Fatal(err)
		}
		if !r.Holds() {
			tr.Fatalf("the law does not hold in %s: %+v", output, r)
		}
		sum.Lanes = append(sum.Lanes, r.Lanes...)
	}
	return sum.Sum()
}

// end mends everything, has all that is left answered, and judges.
func (tr *trial) end() {
	tr.Helper()
	tr.mend()
	tr.update("WX_PROFILES", func(c *jetstream.StreamConfig) { c.MaxMsgs = -1 })
	tr.onBoard(func(b *pipeline.Board) error { _, err := b.Resume(tr.Context(), appid); return err })
	for i, r := range tr.running {
		if r == nil {
			tr.startReplica(i)
		}
	}
	last := tr.store(drawn{good, people}) // somebody who works
	tr.answered(last)
	for i := range tr.running {
		tr.stopReplica(i)
	}
	for _, r := range tr.dying {
		tr.gone(r)
	}
	if b := tr.audit(); b.Pending != 0 || b.Unverifiable != 0 && tr.lost.IsZero() {
		tr.Errorf("the audit: %+v", b)
	}
	for _, output := range tr.story.outputs() {
		tr.judge(output)
	}
}

// answered waits until all events up to a sequence are. A hold may last until
// the next day; whoever takes two is stuck.
func (tr *trial) answered(last uint64) {
	tr.Helper()
	limit := time.Now().Add(48 * time.Hour)
	for pause := time.Second; ; pause += pause / 4 {
		time.Sleep(pause)
		c, err := tr.js.Consumer(tr.Context(), "WX_EVENTS", tr.story.lane().Durable)
		if err == nil && c.CachedInfo().AckFloor.Stream >= last {
			return
		}
		if time.Now().After(limit) {
			for i, r := range tr.running {
				tr.Logf("replica %d: %+v, %+v, hold %+v", i, r.State(), r.Stats().Counts(), r.State().Hold)
			}
			tr.Fatalf("not all is answered; error %v, durable %+v", err, c.CachedInfo())
		}
	}
}

// judge compares every event with its answers in one output, by other means than
// the audit. Where there are two, one that holds the record already may be left
// with it when the other has to be told that there is none.
func (tr *trial) judge(output string) {
	tr.Helper()
	type source struct {
		seq uint64
		at  int64
	}
	answers := map[source][]answer{}
	for _, name := range []string{output, "WX_DEAD"} {
		for _, msg := range tr.all(name) {
			a := tr.parse(msg)
			src, _, _, err := events.ParseMsgID(msg.Headers().Get(events.HeaderMsgID))
			if err != nil {
				tr.Fatal(err)
			}
			k := source{src.Seq, src.Time.UnixNano()}
			if len(answers[k]) == 1 && name == "WX_DEAD" && tr.story.second && answers[k][0].reason == "" {
				continue
			}
			answers[k] = append(answers[k], a)
		}
	}
	for k, as := range answers {
		if len(as) > 1 {
			tr.Errorf("event %d has %d answers in %s", k.seq, len(as), output)
		}
	}
	for _, msg := range tr.all("WX_EVENTS") {
		meta, err := msg.Metadata()
		if err != nil {
			tr.Fatal(err)
		}
		e, seq := tr.lasting[string(msg.Data())], meta.Sequence.Stream
		as := answers[source{seq, meta.Timestamp.UnixNano()}]
		switch {
		case e.kind == notOurs && len(as) > 0:
			tr.Errorf("event %d is not for the lane, and is answered", seq)
		case e.kind == notOurs:
		case len(as) == 0 && output == "WX_PROFILES" && !meta.Timestamp.After(tr.lost): // its answer was lost with the stream
		case len(as) == 0:
			tr.Errorf("event %d of kind %d has no answer in %s", seq, e.kind, output)
		case !e.right(&as[0]):
			tr.Errorf("event %d of kind %d is answered %q %q: %s", seq, e.kind, as[0].reason, as[0].record.Status, as[0].dead.Detail)
		case as[0].reason == "" && as[0].record.Event.OpenID != tr.acc.OpenID(e.person):
			tr.Errorf("event %d has the record of somebody else", seq)
		}
	}
}

// all is everything that a stream holds.
func (w *world) all(name string) []jetstream.Msg {
	w.Helper()
	n := w.held(name)
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	found := make(chan jetstream.Msg)
	w.follow(ctx, name, found)
	all := make([]jetstream.Msg, 0, n)
	for len(all) < n {
		select {
		case m := <-found:
			all = append(all, m)
		case <-time.After(w.patience):
			w.Fatalf("%d messages of %d of %s", len(all), n, name)
		}
	}
	return all
}
