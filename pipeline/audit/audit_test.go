package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

func replay(id string) func(*events.Record) { return func(r *events.Record) { r.Replay = id } }
func hop(n int) func(*events.Record)        { return func(r *events.Record) { r.Hop = n } }
func letterHop(n int) func(*events.DeadLetter) {
	return func(d *events.DeadLetter) { d.Hop = n }
}

func TestEveryTermOfTheLaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(w.event(appid, ""))
	w.letter(w.event(appid, ""))
	missing := w.event(appid, "order-3")
	w.record(w.event(appid, ""), replay("r1"))
	w.ack(appid, 4)
	w.record(w.event(appid, "")) // answered, the ack is still to come
	w.event(appid, "")
	w.store(&nats.Msg{Subject: "wx.events." + appid + ".backfill", Data: []byte(openid)}) // nobody listens

	r := w.audit(scope())
	w.want(r, audit.Balance{In: 6, Records: 2, DeadLetters: 1, Replayed: 1, Pending: 1, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: missing.Seq, EventID: "order-3"})
	if f := r.Findings[0]; !f.Stored.Equal(missing.Time) || f.AppID != appid || f.Stream != "WX_EVENTS" {
		t.Errorf("%+v", f)
	}
	if b := r.Lanes[0]; b.AckFloor != 4 || b.FirstSeq != 1 || b.LastSeq != 6 {
		t.Errorf("%+v", b)
	}
}

// TestDeliveredIsPending: what is in hand is not acknowledged, and neither is
// what was acknowledged out of order above it.
func TestDeliveredIsPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.event(appid, ""), w.event(appid, "")
	c, err := w.js.Consumer(t.Context(), "WX_EVENTS", "wxenrich-"+appid)
	if err != nil {
		t.Fatal(err)
	}
	held, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	w.record(second)
	w.ack(appid, 1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 2, Records: 1, Pending: 1})
	if r.Lanes[0].InHand != 1 {
		t.Errorf("%+v", r.Lanes[0])
	}
	if err := held.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = w.audit(scope())
	w.want(r, audit.Balance{In: 2, Records: 1, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: first.Seq, EventID: "WX_EVENTS-1"})
}

// TestDoubles is also duplicates outside the streams' window: store goes on
// until the id is forgotten.
func TestDoubles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	us, both, redriven, again, inReplay, third := w.event(appid, "twice"), w.event(appid, ""), w.event(appid, ""), w.event(appid, ""), w.event(appid, ""), w.event(appid, "")
	w.record(us)
	w.record(both)
	w.letter(both)
	w.record(redriven, hop(1))
	w.record(again, hop(1))
	w.letter(again, letterHop(1))
	w.record(inReplay)
	w.record(inReplay, replay("r1"))
	w.letter(third)
	w.letter(third, letterHop(1))
	// The second of each comes when the first is forgotten, which is once for all.
	w.record(us)
	w.record(redriven, hop(1))
	w.record(inReplay, replay("r1"))
	w.letter(third, letterHop(1))
	w.ack(appid, 6)

	r := w.audit(scope())
	w.want(r, audit.Balance{In: 6, Records: 5, DeadLetters: 1, Doubled: 6, Repeats: audit.Repeats{Replay: 1, Us: 3, Redrive: 3}})
	w.found(r,
		audit.Finding{Kind: audit.Doubled, Seq: us.Seq, EventID: "twice", Culprit: audit.Us, Records: 2},
		audit.Finding{Kind: audit.Doubled, Seq: both.Seq, EventID: "WX_EVENTS-2", Culprit: audit.Us, Records: 1, DeadLetters: 1},
		audit.Finding{Kind: audit.Doubled, Seq: redriven.Seq, EventID: "WX_EVENTS-3", Culprit: audit.Redrive, Records: 2},
		audit.Finding{Kind: audit.Doubled, Seq: again.Seq, EventID: "WX_EVENTS-4", Culprit: audit.Redrive, Records: 1, DeadLetters: 1},
		audit.Finding{Kind: audit.Doubled, Seq: inReplay.Seq, EventID: "WX_EVENTS-5", Culprit: audit.Us, Replay: "r1", Records: 2},
		audit.Finding{Kind: audit.Doubled, Seq: third.Seq, EventID: "WX_EVENTS-6", Culprit: audit.Redrive, DeadLetters: 3},
	)
}

func TestRedriveSupersedes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done, between, again := w.event(appid, ""), w.event(appid, ""), w.event(appid, "")
	lost := w.event(appid, "")
	w.remove(w.letter(done)) // the oldest of them: the stream now begins later
	w.record(done, hop(1))
	w.letter(between) // its redrive died before it removed the letter
	w.record(between, hop(1))
	w.letter(again) // and one that led to another letter
	w.letter(again, letterHop(1))
	w.ack(appid, 4)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 4, Records: 2, DeadLetters: 1, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-4"})
	if len(r.Notes) != 0 {
		t.Errorf("%q", r.Notes)
	}
}

// TestRedrivesOfOthers: the letters that redrives have removed of an account that is
// not looked at are not gone without a redrive.
func TestRedrivesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost := w.event(appid, "")
	theirs := func(d *events.DeadLetter) { d.AppID = other }
	done, between, again := w.event(other, ""), w.event(other, ""), w.event(other, "")
	w.remove(w.letter(done, theirs)) // the oldest: the stream now begins behind the lost event
	w.record(done, hop(1), func(r *events.Record) { r.Event.AppID = other })
	w.letter(between, theirs) // its redrive died before it removed the letter
	w.record(between, hop(1), func(r *events.Record) { r.Event.AppID = other })
	w.remove(w.letter(again, theirs))
	last := w.letter(again, theirs, letterHop(1))
	w.ack(appid, 1)
	s := scope()
	for _, apart := range []bool{false, true} {
		if apart {
			s.Lanes[0].OutputSubject, s.Lanes[0].DeadSubject = "wx.profiles."+appid, "wx.dead."+appid+".*"
		}
		r := w.audit(s)
		w.want(r, audit.Balance{In: 1, Missing: 1})
		w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-1"})
		if len(r.Notes) != 0 {
			t.Errorf("%q", r.Notes)
		}
	}
	w.remove(last) // by a person
	r := w.audit(s)
	w.want(r, audit.Balance{In: 1, Unverifiable: 1})
	noted(t, r, "2 dead letters have left WX_DEAD without a redrive that we know of") // it was all that told of the one before
}

// TestPurgedDeadLetter: nobody can say whether an event lost its dead letter or
// never had one; so it is not called missing, where the letters begin later.
func TestPurgedDeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src := w.event(appid, "")
	w.remove(w.letter(src))
	w.ack(appid, 1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 1, Unverifiable: 1})
	noted(t, r, "1 dead letters have left WX_DEAD")
	noted(t, r, "cannot be verified: WX_DEAD holds no answer from before")

	// A letter cannot stand for two.
	w.event(appid, "")
	other := w.event(appid, "")
	w.ack(appid, 2)
	w.remove(w.letter(other)) // so that the letters begin behind both
	w.want(w.audit(scope()), audit.Balance{In: 3, Unverifiable: 3}, 1)
}

func TestReplayGenerations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src := w.event(appid, "")
	w.record(src)
	w.record(src, replay("r1"))
	w.letter(src, func(d *events.DeadLetter) { d.Replay = "r2" })
	w.record(src, replay("r2"), hop(1)) // the redrive of that
	w.ack(appid, 1)
	s := scope()
	s.Repeats = true
	r := w.audit(s)
	w.want(r, audit.Balance{In: 1, Records: 1, Repeats: audit.Repeats{Replay: 2}})
	w.found(r,
		audit.Finding{Kind: audit.Repeated, Seq: src.Seq, EventID: "WX_EVENTS-1", Culprit: audit.Replay, Replay: "r1"},
		audit.Finding{Kind: audit.Repeated, Seq: src.Seq, EventID: "WX_EVENTS-1", Culprit: audit.Replay, Replay: "r2"})
}

func TestProducersRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.durable(other, jetstream.ConsumerConfig{})
	id := func(id, appid string) func(*events.Record) {
		return func(r *events.Record) { r.Event.ID, r.Event.AppID = id, appid }
	}
	first, second := w.event(appid, "order-1"), w.event(appid, "order-1")
	w.record(first, id("order-1", appid))
	w.record(second, id("order-1", appid))
	stranger := w.event(other, "order-1") // ids are each account's own
	w.record(stranger, id("order-1", other))
	msg := func() *nats.Msg {
		return &nats.Msg{Subject: "wx.events." + appid + ".subscribe", Header: nats.Header{events.HeaderMsgID: {"push-1"}}, Data: []byte(openid)}
	}
	w.store(msg()) // unanswered as yet: the header says enough
	late := w.store(msg())
	w.record(w.event(appid, ""))
	w.record(w.event(appid, ""))
	s := scope()
	s.Lanes = append(s.Lanes, audit.DefaultLane(other))
	s.Repeats = true
	r := w.audit(s)
	w.want(r, audit.Balance{In: 6, Records: 4, Pending: 2, Repeats: audit.Repeats{Producer: 2}})
	w.found(r,
		audit.Finding{Kind: audit.Repeated, Seq: second.Seq, EventID: "order-1", Culprit: audit.Producer, Earlier: first.Seq},
		audit.Finding{Kind: audit.Repeated, Seq: late.Seq, EventID: "push-1", Culprit: audit.Producer, Earlier: late.Seq - 1})
}

func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.durable(other, jetstream.ConsumerConfig{})
	w.record(w.event(appid, ""))
	w.ack(appid, 1)
	w.record(w.event(other, ""), func(r *events.Record) { r.Event.AppID = other })
	lost := w.event(other, "")
	w.ack(other, 2)
	s := scope()
	s.Lanes = append(s.Lanes, audit.DefaultLane(other))
	r := w.audit(s)
	w.want(audit.Report{Lanes: r.Lanes[:1]}, audit.Balance{In: 1, Records: 1})
	w.want(audit.Report{Lanes: r.Lanes[1:]}, audit.Balance{In: 2, Records: 1, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-3"})

	s = scope() // one account of the two, and no more of its streams than that
	s.Lanes[0].OutputSubject, s.Lanes[0].DeadSubject = "wx.profiles."+appid, "wx.dead."+appid+".*"
	r = w.audit(s)
	w.want(r, audit.Balance{In: 1, Records: 1})
	if len(r.Notes) != 0 {
		t.Errorf("%q", r.Notes)
	}
}

func TestInteriorDeletes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(w.event(appid, ""))
	answered, unanswered := w.event(appid, ""), w.event(appid, "")
	w.record(answered)
	w.record(w.event(appid, ""))
	w.ack(appid, 4)
	w.remove(answered)
	w.remove(unanswered)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 3, Records: 2, Deleted: 1})
	noted(t, r, "1 messages were deleted inside WX_EVENTS of which no answer tells")
}

func TestExpiredInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.event(appid, "gone")
	w.record(first)
	w.record(first) // a double that outlives its event
	w.record(w.event(appid, ""))
	w.ack(appid, 2)
	w.purge("WX_EVENTS", first.Seq+1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 2, Records: 1, Expired: 1, Doubled: 1, Repeats: audit.Repeats{Us: 1}})
	w.found(r, audit.Finding{Kind: audit.Doubled, Seq: first.Seq, Culprit: audit.Us, Records: 2})
}

// TestExpiredUnanswered: of what has left the input with no answer nobody can say
// whose it was, and the report does not pass it over.
func TestExpiredUnanswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.event(appid, "")
	for range 5 {
		w.event(appid, "")
	}
	last := w.event(appid, "")
	w.record(last)
	w.purge("WX_EVENTS", last.Seq)
	for told := range uint64(2) { // whether or not an answer tells where to begin
		r := w.audit(scope())
		if r.Untold != 6-told || !r.Holds() {
			t.Errorf("with %d answers before: %d untold, want %d", told, r.Untold, 6-told)
		}
		noted(t, r, "no answer tells of them")
		w.record(first)
	}
}

// TestAnswersOfAFormerStream: an input that was made anew uses the sequences of
// the former one, whose answers say nothing about it.
func TestAnswersOfAFormerStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	former := w.event(appid, "")
	w.record(former)
	if err := w.js.DeleteStream(t.Context(), "WX_EVENTS"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := events.EnsureStream(t.Context(), w.js, events.StreamSpec{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}, events.Create); err != nil {
		t.Fatal(err)
	}
	w.durable(appid, jetstream.ConsumerConfig{})
	w.event(appid, "")
	w.record(w.event(appid, ""))
	w.ack(appid, 2)
	w.purge("WX_EVENTS", 2)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 1, Records: 1})
	if r.Untold != 1 {
		t.Errorf("%d untold, want the one that has expired unanswered", r.Untold)
	}
}

// purge drops what is before a sequence, as age does.
func (w *world) purge(stream string, before uint64) {
	w.Helper()
	s, err := w.js.Stream(w.Context(), stream)
	if err != nil {
		w.Fatal(err)
	}
	if err := s.Purge(w.Context(), jetstream.WithPurgeSequence(before)); err != nil {
		w.Fatal(err)
	}
}

// TestAgedOutOutput: what the output no longer holds is never called missing;
// what it would hold is.
func TestAgedOutOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.event(appid, "")
	forgotten := w.record(old)
	kept := w.event(appid, "")
	first := w.record(kept)
	lost := w.event(appid, "")
	w.ack(appid, 3)
	w.purge("WX_PROFILES", forgotten.Seq+1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 3, Records: 1, Unverifiable: 1, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-3"})
	if got := r.Lanes[0].VerifiableFrom; !got.Equal(first.Time) {
		t.Errorf("verifiable from %v, want %v", got, first.Time)
	}
	noted(t, r, "cannot be verified: WX_PROFILES holds no answer from before")

	w.purge("WX_PROFILES", first.Seq+1) // nothing is left at all
	last := w.event(appid, "")
	w.ack(appid, 1)
	r = w.audit(scope())
	w.want(r, audit.Balance{In: 4, Unverifiable: 2, Missing: 2})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-3"},
		audit.Finding{Kind: audit.Missing, Seq: last.Seq, EventID: "WX_EVENTS-4"})
}

func TestOutputThatOverwrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream, err := w.js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxMsgsPerSubject, cfg.Discard = 1, jetstream.DiscardOld
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.record(w.event(appid, ""))
	w.record(w.event(appid, ""))
	w.ack(appid, 2)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 2, Records: 1, Unverifiable: 1})
	noted(t, r, "WX_PROFILES drops answers")
}

// TestSequenceUsedAgain: after a power cut another event has the sequence, and
// the answer to the first one does not answer it.
func TestSequenceUsedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src := w.event(appid, "")
	src.Time = src.Time.Add(-time.Hour)
	w.record(src)
	w.ack(appid, 1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 1, Missing: 1})
	noted(t, r, "1 answers are to events that WX_EVENTS does not hold")
}

func TestAnswersToOtherSubjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(w.event(appid, ""))
	w.record(w.store(&nats.Msg{Subject: "wx.events." + appid + ".SCAN", Data: []byte(openid)}))
	w.store(&nats.Msg{Subject: "wx.profiles.hello", Data: []byte("hello")})
	w.ack(appid, 1)
	r := w.audit(scope())
	w.want(r, audit.Balance{In: 1, Records: 1})
	noted(t, r, "1 answers are to events")
	noted(t, r, "1 messages among the answers answer nothing")
}

func TestWhereTheDurableBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.event(other, "")
	}
	w.durable(other, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy})
	lost := w.event(other, "")
	w.ack(other, 1)
	s := audit.Scope{Lanes: []audit.Lane{audit.DefaultLane(other)}}
	r := w.audit(s)
	w.want(r, audit.Balance{In: 3, BeforeStart: 2, Missing: 1})

	if err := w.js.DeleteConsumer(t.Context(), "WX_EVENTS", "wxenrich-"+other); err != nil {
		t.Fatal(err)
	}
	r = w.audit(s)
	w.want(r, audit.Balance{In: 3, Pending: 3})
	noted(t, r, "has no durable wxenrich-"+other)

	// By a sequence we begin ourselves, after a durable is lost: no excuse, but
	// for what that one had.
	anew := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: lost.Seq}
	w.durable(other, anew)
	w.ack(other, 1)
	w.want(w.audit(s), audit.Balance{In: 3, Missing: 3})

	if err := w.js.DeleteConsumer(t.Context(), "WX_EVENTS", "wxenrich-"+other); err != nil {
		t.Fatal(err)
	}
	plan.BegunAt(&anew, lost.Time)
	w.durable(other, anew)
	w.ack(other, 1)
	w.want(w.audit(s), audit.Balance{In: 3, BeforeStart: 2, Missing: 1})

	if err := w.js.DeleteConsumer(t.Context(), "WX_EVENTS", "wxenrich-"+other); err != nil {
		t.Fatal(err)
	}
	w.durable(other, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &lost.Time})
	w.ack(other, 1)
	w.want(w.audit(s), audit.Balance{In: 3, BeforeStart: 2, Missing: 1})
}

func TestDurableListensToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := scope()
	s.Lanes[0].Subjects = append(s.Lanes[0].Subjects, "wx.events."+appid+".SCAN")
	w.store(&nats.Msg{Subject: "wx.events." + appid + ".SCAN", Data: []byte(openid)})
	w.record(w.event(appid, ""))
	w.ack(appid, 1)
	r := w.audit(s)
	w.want(r, audit.Balance{In: 2, Records: 1, Missing: 1})
	noted(t, r, "what it does not listen to is never answered")
}

func TestRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var at []events.Source
	for range 5 {
		at = append(at, w.event(appid, ""))
		w.record(at[len(at)-1])
	}
	w.ack(appid, 5)
	for _, c := range []struct {
		name  string
		scope audit.Scope
		want  uint64
	}{
		{"all", audit.Scope{}, 5},
		{"from", audit.Scope{FromSeq: 2}, 4},
		{"to", audit.Scope{ToSeq: 2}, 2},
		{"both", audit.Scope{FromSeq: 2, ToSeq: 4}, 3},
		{"since", audit.Scope{Since: at[3].Time}, 2},
		{"until", audit.Scope{Until: at[3].Time}, 3},
		{"between", audit.Scope{Since: at[1].Time, Until: at[3].Time}, 2},
		{"future", audit.Scope{FromSeq: 6}, 0},
		{"tomorrow", audit.Scope{Since: time.Now().Add(24 * time.Hour)}, 0},
	} {
		c.scope.Lanes = scope().Lanes
		r := w.audit(c.scope)
		if b := r.Lanes[0]; b.In != c.want || b.Records != c.want {
			t.Errorf("%s: %+v", c.name, b)
		}
	}
	for _, bad := range []audit.Scope{{}, {Lanes: []audit.Lane{{}}}, {Lanes: scope().Lanes, FromSeq: 3, ToSeq: 2}, {Lanes: scope().Lanes, Since: at[1].Time, Until: at[0].Time}} {
		if _, err := audit.Run(t.Context(), w.js, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.event(appid, "id-of-"+openid)
	}
	w.ack(appid, 3)
	s := scope()
	s.Show = 2
	r := w.audit(s)
	w.want(r, audit.Balance{In: 3, Missing: 3})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: 1, EventID: "id-of-…"}, audit.Finding{Kind: audit.Missing, Seq: 2, EventID: "id-of-…"})
	s.Show, s.OpenIDs = 1, true
	w.found(w.audit(s), audit.Finding{Kind: audit.Missing, Seq: 1, EventID: "id-of-" + openid, OpenID: openid})
	s.Show = -1
	w.found(w.audit(s))
}

func noted(t *testing.T, r audit.Report, text string) {
	t.Helper()
	for _, n := range r.Notes {
		if strings.Contains(n, text) {
			return
		}
	}
	t.Errorf("no note has %q: %q", text, r.Notes)
}

// TestErased: of whoever was erased there are receipts, and nothing else; or an
// event that is not answered, since it came back.
func TestErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, answered, dead, waiting := w.event(appid, ""), w.event(appid, ""), w.event(appid, ""), w.event(appid, "")
	w.record(kept)
	record, letter := w.record(answered), w.letter(dead)
	back, lost := w.event(appid, ""), w.event(appid, "")
	w.ack(appid, 6)
	for _, m := range []events.Source{answered, dead, waiting, record, letter} {
		w.remove(m)
	}
	s := scope()
	s.Erased = func(context.Context) ([]audit.Erased, error) {
		var all []audit.Erased
		for _, src := range []events.Source{answered, dead, dead, waiting} { // one was written down twice
			all = append(all, audit.Erased{Stream: src.Stream, Seq: src.Seq, Subject: "wx.events." + appid + ".subscribe", Stored: src.Time})
		}
		for _, src := range []events.Source{record, letter} {
			all = append(all, audit.Erased{Stream: src.Stream, Seq: src.Seq})
		}
		return all, nil
	}
	s.Forgotten = func(account, id, kind string, stored time.Time) bool {
		return account == appid && id == openid && kind == "subscribe" && stored.Equal(back.Time)
	}
	r := w.audit(s)
	w.want(r, audit.Balance{In: 6, Records: 1, Erased: 4, Missing: 1})
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: lost.Seq, EventID: "WX_EVENTS-6"})
	if len(r.Notes) != 0 {
		t.Errorf("%q", r.Notes)
	}
}
