package audit_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// TestInputThatForgets: of a work queue, and of an input by interest, the answers
// are left, and what the durable has still to answer.
func TestInputThatForgets(t *testing.T) {
	t.Parallel()
	for _, retention := range []jetstream.RetentionPolicy{jetstream.WorkQueuePolicy, jetstream.InterestPolicy} {
		js := eventstest.NewServer(t).JetStream()
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Retention: retention}); err != nil {
			t.Fatal(err)
		}
		w := newWorldOn(t, js)
		twice, dead, lost := w.event(appid, ""), w.event(appid, ""), w.event(appid, "")
		w.record(twice)
		w.letter(dead)
		w.ack(appid, 3)
		w.event(appid, "")
		w.event(appid, "")
		w.pending(appid, 2)
		r := w.audit(scope())
		w.want(r, audit.Balance{Forgets: true, In: 4, Records: 1, DeadLetters: 1, Pending: 2})
		noted(t, r, "which have no answer, cannot be told")

		w.record(twice)
		s := scope()
		s.ToSeq = lost.Seq
		r = w.audit(s)
		w.want(r, audit.Balance{Forgets: true, In: 2, Records: 1, DeadLetters: 1, Doubled: 1, Repeats: audit.Repeats{Us: 1}})
		w.found(r, audit.Finding{Kind: audit.Doubled, Seq: twice.Seq, Culprit: audit.Us, Records: 2})
	}
}
