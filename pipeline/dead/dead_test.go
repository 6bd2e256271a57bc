package dead_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func letter(seq uint64, reason events.Reason, code int) dead.Letter {
	return dead.Letter{Seq: seq, Stored: noon, DeadLetter: events.DeadLetter{AppID: "wx1", Reason: reason, Code: code}}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	l := letter(7, events.Rejected, 40003)
	for name, c := range map[string]struct {
		sel  dead.Selection
		want bool
	}{
		"all":            {dead.Selection{}, true},
		"its sequence":   {dead.Selection{Seqs: []uint64{1, 7}}, true},
		"another":        {dead.Selection{Seqs: []uint64{1}}, false},
		"its account":    {dead.Selection{AppID: "wx1"}, true},
		"another's":      {dead.Selection{AppID: "wx2"}, false},
		"its cause":      {dead.Selection{Reasons: []events.Reason{events.Rejected}, Codes: []int{0, 40003}}, true},
		"another code":   {dead.Selection{Reasons: []events.Reason{events.Rejected}, Codes: []int{0}}, false},
		"another reason": {dead.Selection{Reasons: []events.Reason{events.Crashed}}, false},
		"since then":     {dead.Selection{Since: noon, Until: noon.Add(1)}, true},
		"later":          {dead.Selection{Since: noon.Add(1)}, false},
		"before":         {dead.Selection{Until: noon}, false},
	} {
		if got := c.sel.Has(&l); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if c.sel.All() != (name == "all") {
			t.Errorf("%s: is all: %v", name, c.sel.All())
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	g := dead.Groups{}
	for i, l := range []dead.Letter{letter(1, events.Rejected, 40003), letter(2, events.Undecodable, 0), letter(3, events.Rejected, 40003), letter(4, events.Rejected, 46004)} {
		l.Stored = noon.Add(time.Duration(-i) * time.Hour)
		g.Add(&l)
	}
	want := []dead.Group{
		{AppID: "wx1", Reason: events.Rejected, Code: 40003, Count: 2, Oldest: noon.Add(-2 * time.Hour), Newest: noon},
		{AppID: "wx1", Reason: events.Rejected, Code: 46004, Count: 1, Oldest: noon.Add(-3 * time.Hour), Newest: noon.Add(-3 * time.Hour)},
		{AppID: "wx1", Reason: events.Undecodable, Count: 1, Oldest: noon.Add(-time.Hour), Newest: noon.Add(-time.Hour)},
	}
	if d := cmp.Diff(want, g.List()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestEveryReasonHasAdvice(t *testing.T) {
	t.Parallel()
	for _, r := range events.Reasons() {
		l := letter(1, r, 0)
		if dead.Meaning(r) == "" || l.Advice() == "" {
			t.Errorf("%s: %q, %q", r, dead.Meaning(r), l.Advice())
		}
	}
	quota, cut := letter(1, events.Exhausted, 48001), letter(1, events.Exhausted, 48001)
	plain := letter(1, events.Exhausted, 0)
	if quota.Advice() == plain.Advice() {
		t.Errorf("the errcode's own advice is not given: %s", quota.Advice())
	}
	if cut.Truncated = 9; cut.Advice() == quota.Advice() || cut.Redrivable(5) {
		t.Errorf("a letter that was cut: %s", cut.Advice())
	}
	if plain.Hop = 5; plain.Redrivable(5) || !plain.Redrivable(6) {
		t.Error("hops are not counted")
	}
}

func TestPurgedReplaysAnswerNothing(t *testing.T) {
	t.Parallel()
	l := letter(1, events.Rejected, 0)
	l.Message.Source.Seq, l.Hop = 9, 2
	if p := dead.NewPurged("WX_DEAD", &l); p.Source.Seq != 9 || p.Hop != 2 || p.Dead != "WX_DEAD" {
		t.Errorf("%+v", p)
	}
	l.Replay = "replay-1"
	if p := dead.NewPurged("WX_DEAD", &l); p.Source.Seq != 0 || p.Hop != 2 {
		t.Errorf("of a replay: %+v", p)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dead.ReadReceipts(t.Context(), kv); err != nil || got != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	want := map[dead.Purged]bool{}
	var of []dead.Purged
	for i := range 25_000 { // more than one key takes
		p := dead.Purged{Dead: "WX_DEAD", Source: events.Source{Stream: []string{"A", "B"}[i/24_000], Seq: uint64(i), Time: time.Unix(0, int64(i)*1e9+7).UTC()}, Hop: i % 3}
		of, want[p] = append(of, p), true
	}
	if err := dead.WriteReceipts(t.Context(), kv, noon, "me", of); err != nil {
		t.Fatal(err)
	}
	got, err := dead.ReadReceipts(t.Context(), kv)
	if err != nil || len(got) != len(of) {
		t.Fatalf("%d of %d: %v", len(got), len(of), err)
	}
	for _, p := range got {
		if !want[p] {
			t.Fatalf("%+v was not written", p)
		}
	}
}
