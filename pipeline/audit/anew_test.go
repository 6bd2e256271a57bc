package audit_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// TestAnswersMadeAnew: whoever deletes the output takes with it what was
// answered before. That is not missing, and not known either.
func TestAnswersMadeAnew(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		w := newWorld(t)
		w.record(w.event(appid, ""))
		w.event(appid, "") // missing, but who knows
		w.ack(appid, 2)
		w.want(w.audit(scope()), audit.Balance{In: 2, Records: 1, Missing: 1})

		if err := w.js.DeleteStream(t.Context(), "WX_PROFILES"); err != nil {
			t.Fatal(err)
		}
		spec := events.StreamSpec{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Duplicates: shortest}
		if _, _, err := events.EnsureStream(t.Context(), w.js, spec, events.Create); err != nil {
			t.Fatal(err)
		}
		if again { // and the durable too, which goes on at its mark
			if err := w.js.DeleteConsumer(t.Context(), "WX_EVENTS", "wxenrich-"+appid); err != nil {
				t.Fatal(err)
			}
			w.durable(appid, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: 3})
		}
		w.record(w.event(appid, ""))
		w.event(appid, "") // missing for certain
		w.ack(appid, 2)
		r := w.audit(scope())
		w.want(r, audit.Balance{In: 4, Records: 1, Unverifiable: 2, Missing: 1})
		noted(t, r, "cannot be verified")
	}
}
