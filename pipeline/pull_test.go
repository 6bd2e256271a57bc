package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// What was on its way to us since when goes by requests, the oldest first; what
// a request leaves over is taken from the latest, so that times err to the early
// side.
func TestPullCounts(t *testing.T) {
	t.Parallel()
	first, second := time.Unix(1, 0), time.Unix(2, 0)
	p := pull{size: 10, open: 20, asked: []request{{first, 10}, {second, 10}}}
	for i := range 12 {
		want := first
		if i >= 10 {
			want = second
		}
		if got := p.came(time.Now()); got != want {
			t.Errorf("message %d: since %v, want %v", i, got, want)
		}
	}
	p = pull{size: 10, open: 13, asked: []request{{first, 3}, {second, 10}}}
	if err := p.status(statusMessage("408", "Request Timeout", "7")); err != nil {
		t.Error(err)
	}
	if want := []request{{first, 3}, {second, 3}}; p.open != 6 || !cmp.Equal(p.asked, want, cmp.AllowUnexported(request{})) {
		t.Errorf("%d to come, of %v; want 6 of %v", p.open, p.asked, want)
	}
	if err := p.status(statusMessage("408", "Request Timeout", "5")); err != nil {
		t.Error(err)
	}
	if want := []request{{first, 1}}; p.open != 1 || !cmp.Equal(p.asked, want, cmp.AllowUnexported(request{})) {
		t.Errorf("%d to come, of %v; want 1 of %v", p.open, p.asked, want)
	}
}

func TestPullEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, what, pending string
		ends                bool
	}{
		{"100", "Idle Heartbeat", "", false},
		{"408", "Interest Expired", "10", false},
		{"408", "Request Timeout", "", true},
		{"409", "Consumer Deleted", "", true},
		{"409", "Leadership Change", "", true},
		{"400", "Bad Request", "", true},
		{"503", "", "", true},
	} {
		p := pull{size: 10, open: 10, asked: []request{{time.Unix(1, 0), 10}}}
		if err := p.status(statusMessage(tc.code, tc.what, tc.pending)); (err != nil) != tc.ends {
			t.Errorf("%s %s: %v", tc.code, tc.what, err)
		}
	}
	p := pull{size: 10, open: 10, heard: time.Now().Add(-3 * pullHeartbeat), msgs: make(chan *nats.Msg, 1)}
	if err := p.silent(time.Now(), pullSilence); !errors.Is(err, errSilent) {
		t.Errorf("after three heartbeats' time: %v", err)
	}
	p.msgs <- nil // nobody has read for a while
	if err := p.silent(time.Now(), pullSilence); err != nil {
		t.Errorf("with a message to read: %v", err)
	}
}

// Requests stay as long as their heartbeats need, which grow with the lanes of the
// process, but no longer than the durable allows.
func TestPullStays(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	rounds := NewRounds(js, nil)
	l := &Lane{rounds: rounds}
	for _, tc := range []struct {
		lanes int
		most  time.Duration // of the durable
		want  string
	}{
		{1, 0, `{"batch":10,"expires":30000000000,"idle_heartbeat":12000000000}`},
		{1000, 0, `{"batch":10,"expires":500000000000,"idle_heartbeat":200000000000}`},
		{1000, time.Minute, `{"batch":10,"expires":60000000000,"idle_heartbeat":24000000000}`},
		{1000, 20 * time.Second, `{"batch":10,"expires":30000000000,"idle_heartbeat":12000000000}`}, // refused, as doctor says
	} {
		rounds.count = tc.lanes
		p, err := newPull(js, &jetstream.ConsumerInfo{Config: jetstream.ConsumerConfig{MaxRequestExpires: tc.most}}, 10, l.heartbeat)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.request()); got != tc.want {
			t.Errorf("%d lanes, %v at most: %s, want %s", tc.lanes, tc.most, got, tc.want)
		}
	}
}

func statusMessage(code, what, pending string) *nats.Msg {
	h := nats.Header{"Status": {code}, "Description": {what}}
	if pending != "" {
		h.Set("Nats-Pending-Messages", pending)
	}
	return &nats.Msg{Header: h}
}

func TestPullAsksTheRightAPI(t *testing.T) {
	t.Parallel()
	nc := eventstest.NewServer(t).Connect()
	for want, make := range map[string]func() (jetstream.JetStream, error){
		"$JS.API.":     func() (jetstream.JetStream, error) { return jetstream.New(nc) },
		"$JS.hub.API.": func() (jetstream.JetStream, error) { return jetstream.NewWithDomain(nc, "hub") },
		"a.prefix.":    func() (jetstream.JetStream, error) { return jetstream.NewWithAPIPrefix(nc, "a.prefix") },
		"another.one.": func() (jetstream.JetStream, error) { return jetstream.NewWithAPIPrefix(nc, "another.one.") },
	} {
		js, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if got := apiPrefix(js); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
