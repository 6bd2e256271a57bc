package events

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

// TestEnvelope fills one envelope with records that have other headers than the
// one before, some of which somebody else has added: of what it held before
// nothing may be left.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	some := func(s string) string { return s[:rng.IntN(2)*len(s)] }
	var env Envelope
	for n := range 500 {
		r := Record{
			Event: Event{
				ID: some("an id"), AppID: some("wx0123456789abcdef"), OpenID: some("o6_bmjrPTlm6_2sgVt7hMZOPfL2M"),
				Source: Source{Stream: "WX_EVENTS", Seq: rng.Uint64N(1000), Time: time.Unix(int64(n), rng.Int64N(1e9)), Subject: "wx.events.a.subscribe"},
			},
			Status: Following, Replay: some("r1"), Hop: rng.IntN(2), FetchedAt: time.Unix(1.7e9, 0),
			User: User{Raw: JSONValue([]byte(`{"subscribe":1,"remark":"` + some("somewhat longer") + `"}`))},
		}
		f := []Format{JSON, Msgpack}[rng.IntN(2)]
		want, err := r.Msg("a.subject", f)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Fill(&env, f); err != nil {
			t.Fatal(err)
		}
		env.Msg.Subject = "a.subject"
		if diff := cmp.Diff(want, &env.Msg, cmp.AllowUnexported(nats.Msg{})); diff != "" {
			t.Fatalf("record %d (-by itself +in an envelope):\n%s", n, diff)
		}
		for range rng.IntN(2) {
			env.Msg.Header[some(HeaderTraceParent)+"x"] = []string{"added"}
		}
	}
}

// BenchmarkFill is a record into the envelope of another one.
func BenchmarkFill(b *testing.B) {
	r, env := Record{Event: Event{ID: "WX_EVENTS-1", AppID: "wx0123456789abcdef", OpenID: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
		Source: Source{Stream: "WX_EVENTS", Seq: 1, Time: time.Unix(1.7e9, 1)}}, Status: Following, FetchedAt: time.Unix(1.7e9, 0)}, Envelope{}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Fill(&env, Msgpack); err != nil {
			b.Fatal(err)
		}
	}
}
