package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

const (
	appid  = "wx0123456789abcdef"
	other  = "wxfedcba9876543210"
	openid = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
)

// shortest is the shortest memory of message ids that a server grants: repeats
// are to be stored, as after a long outage.
const shortest = 100 * time.Millisecond

// world is the streams of a lane, and a durable that acks what it is told to.
type world struct {
	testing.TB
	js jetstream.JetStream
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, eventstest.NewServer(t).JetStream())
}

// newWorldOn makes those streams that there are not yet.
func newWorldOn(t testing.TB, js jetstream.JetStream) *world {
	t.Helper()
	w := &world{TB: t, js: js}
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
		spec := events.StreamSpec{Name: name, Subjects: []string{subject}, Duplicates: shortest}
		if _, _, err := events.EnsureStream(t.Context(), w.js, spec, events.Create); err != nil {
			t.Fatal(err)
		}
	}
	w.durable(appid, jetstream.ConsumerConfig{})
	return w
}

func (w *world) durable(appid string, cfg jetstream.ConsumerConfig) {
	w.Helper()
	l := audit.DefaultLane(appid)
	cfg.Durable, cfg.FilterSubjects, cfg.AckPolicy = l.Durable, l.Subjects, jetstream.AckExplicitPolicy
	if _, err := w.js.CreateConsumer(w.Context(), l.Stream, cfg); err != nil {
		w.Fatal(err)
	}
}

// pending waits until the server counts so many events for the lane's durable: it
// does so a moment after they are stored.
func (w *world) pending(appid string, n uint64) {
	w.Helper()
	l := audit.DefaultLane(appid)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c, err := w.js.Consumer(w.Context(), l.Stream, l.Durable)
		if err != nil {
			w.Fatal(err)
		}
		if have := c.CachedInfo().NumPending; have == n {
			return
		} else if time.Now().After(deadline) {
			w.Fatalf("%d events are pending, want %d", have, n)
		}
	}
}

// ack acknowledges the next n events of a lane.
func (w *world) ack(appid string, n int) {
	w.Helper()
	l := audit.DefaultLane(appid)
	c, err := w.js.Consumer(w.Context(), l.Stream, l.Durable)
	if err != nil {
		w.Fatal(err)
	}
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		w.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(w.Context()); err != nil {
			w.Fatal(err)
		}
		n--
	}
	if n != 0 {
		w.Fatalf("%d events are not there: %v", n, batch.Error())
	}
}

// event stores an event and says where; an empty id is none.
func (w *world) event(appid, id string) events.Source {
	w.Helper()
	body := openid
	if id != "" {
		body = fmt.Sprintf(`{"openid":%q,"id":%q}`, openid, id)
	}
	return w.store(&nats.Msg{Subject: audit.DefaultLane(appid).Subjects[0], Data: []byte(body)})
}

// store stores a message although the stream may remember its id, and says
// where it is.
func (w *world) store(m *nats.Msg) events.Source {
	w.Helper()
	for {
		ack, err := w.js.PublishMsg(w.Context(), m)
		if err != nil {
			w.Fatal(err)
		}
		if ack.Duplicate {
			continue // until it is forgotten
		}
		stream, err := w.js.Stream(w.Context(), ack.Stream)
		if err != nil {
			w.Fatal(err)
		}
		stored, err := stream.GetMsg(w.Context(), ack.Sequence)
		if err != nil {
			w.Fatal(err)
		}
		return events.Source{Stream: ack.Stream, Seq: ack.Sequence, Time: stored.Time, Subject: m.Subject}
	}
}

// record answers an event; as changes the record.
func (w *world) record(src events.Source, as ...func(*events.Record)) events.Source {
	w.Helper()
	r := events.Record{Event: events.Event{ID: fmt.Sprintf("%s-%d", src.Stream, src.Seq), OpenID: openid, AppID: appid, Source: src}, Status: events.Following}
	for _, f := range as {
		f(&r)
	}
	m, err := r.Msg("wx.profiles."+r.Event.AppID, events.JSON)
	if err != nil {
		w.Fatal(err)
	}
	return w.store(m)
}

// letter answers an event with a dead letter.
func (w *world) letter(src events.Source, as ...func(*events.DeadLetter)) events.Source {
	w.Helper()
	d := events.DeadLetter{Message: events.Message{Source: src, Data: []byte(openid)}, AppID: appid, Reason: events.Rejected}
	for _, f := range as {
		f(&d)
	}
	return w.store(d.Msg("wx.dead." + d.AppID + "." + string(d.Reason)))
}

// remove deletes one message of a stream.
func (w *world) remove(at events.Source) {
	w.Helper()
	stream, err := w.js.Stream(w.Context(), at.Stream)
	if err != nil {
		w.Fatal(err)
	}
	if err := stream.DeleteMsg(w.Context(), at.Seq); err != nil {
		w.Fatal(err)
	}
}

func scope() audit.Scope { return audit.Scope{Lanes: []audit.Lane{audit.DefaultLane(appid)}} }

func (w *world) audit(s audit.Scope) audit.Report {
	w.Helper()
	r, err := audit.Run(w.Context(), w.js, s)
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range r.Lanes {
		if sum := b.Records + b.DeadLetters + b.Replayed + b.Pending + b.BeforeStart + b.Expired + b.Deleted + b.Erased + b.Unverifiable + b.Missing; sum != b.In {
			w.Errorf("in is %d, the terms' sum %d: %+v", b.In, sum, b)
		}
	}
	return r
}

// want compares the first lane's counts. Short is how many of the unverifiable are
// known to be missing.
func (w *world) want(r audit.Report, want audit.Balance, short ...uint64) {
	w.Helper()
	ignored := cmpopts.IgnoreFields(audit.Balance{}, "AppID", "Stream", "FirstSeq", "LastSeq", "VerifiableFrom", "AckFloor", "InHand")
	if d := cmp.Diff(want, r.Lanes[0], ignored); d != "" {
		w.Errorf("-want +got\n%s%+v", d, r)
	}
	least := uint64(0)
	for _, n := range short {
		least += n
	}
	if r.Short != least {
		w.Errorf("%d are missing among the unverifiable, want %d: %+v", r.Short, least, r)
	}
	if holds := want.Missing == 0 && want.Doubled == 0 && least == 0; r.Holds() != holds {
		w.Errorf("the law holds: %v, want %v", r.Holds(), holds)
	}
}

// found compares what is named, but for the times.
func (w *world) found(r audit.Report, want ...audit.Finding) {
	w.Helper()
	opts := cmp.Options{cmpopts.IgnoreUnexported(audit.Finding{}), cmpopts.IgnoreFields(audit.Finding{}, "Stored", "AppID", "Stream"), cmpopts.EquateEmpty()}
	if d := cmp.Diff(want, r.Findings, opts); d != "" {
		w.Errorf("-want +got\n%s", d)
	}
}
