package audit_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
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
		noted(t, r, `2 events stored before`)
		noted(t, r, `cannot be verified: WX_PROFILES was made anew then, and what had been answered went with the former one; "wxenrich replay --appid `+appid+` --from-seq 1 --to-seq 2" answers them again`)
	}
}

// TestAnswersRestored: an output that was restored from a backup holds what is
// older than itself, and nothing has aged out of it: what was answered since
// the backup is missing.
func TestAnswersRestored(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		w := newWorldOn(t, s.JetStream())
		w.record(w.event(appid, ""))
		backup := snapshot(t, w.js.Conn(), "WX_PROFILES")
		time.Sleep(time.Hour)
		lost := []events.Source{w.event(appid, ""), w.event(appid, "")}
		for _, src := range lost {
			w.record(src)
		}
		w.ack(appid, 3)
		w.want(w.audit(scope()), audit.Balance{In: 3, Records: 3})

		if err := w.js.DeleteStream(t.Context(), "WX_PROFILES"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		restore(t, w.js.Conn(), "WX_PROFILES", backup)
		w.record(w.event(appid, ""))
		w.ack(appid, 1)
		r := w.audit(scope())
		w.want(r, audit.Balance{In: 4, Records: 2, Missing: 2})
		w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost[0].Seq, EventID: "WX_EVENTS-2"},
			audit.Finding{Kind: audit.Missing, Seq: lost[1].Seq, EventID: "WX_EVENTS-3"})
		noted(t, r, "WX_PROFILES was restored from a backup at 2000-01-01T02:0")
		noted(t, r, `2 events from before that are missing: their answers may have been stored since the backup; "wxenrich replay --appid `+appid+` --from-seq 2 --to-seq 3" answers them again`)
	})
}
