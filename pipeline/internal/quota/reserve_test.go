package quota_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// replicas share a quota; each has a ledger and what is stored is stored.
type replicas struct {
	*testing.T
	now    time.Time
	stored quota.Shared
	puts   int
	all    []*quota.Ledger
}

func newReplicas(t *testing.T, n int, cfg quota.Config) *replicas {
	r := &replicas{T: t, now: noon}
	for i := range n {
		cfg.Replica = fmt.Sprint("replica-", i)
		r.all = append(r.all, quota.New(cfg))
	}
	return r
}

// tell stores what a replica offers, and the others hear of it.
func (r *replicas) tell(l *quota.Ledger, stops bool) {
	next, d := l.Offer(r.now, r.stored, stops)
	r.stored = next
	r.puts++
	l.Flushed(r.now, d, next)
	for _, o := range r.all {
		o.Apply(r.now, next)
	}
}

// begin begins a call as a lane does: it reserves when it has to.
func (r *replicas) begin(l *quota.Ledger, openids int) quota.Leave {
	for range 10 {
		leave, _ := l.Begin(r.now, quota.Call{OpenIDs: openids}, false)
		if leave != quota.Ask {
			return leave
		}
		r.tell(l, false)
	}
	r.Fatal("there is something left, and it is not to be had")
	return quota.Spent
}

// However the calls of three replicas fall, together they spend what is allowed
// and not more than a batch of each above it.
func TestReplicasKeepToTheLimit(t *testing.T) {
	t.Parallel()
	for _, unit := range []quota.Unit{quota.PerCall, quota.PerOpenID, quota.Undecided} {
		for _, limit := range []int64{1, 30, 500, 5000} {
			for seed := range uint64(20) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				cfg := auto()
				cfg.Limit, cfg.Unit, cfg.Batch = limit, unit, 100
				r := newReplicas(t, 3, cfg)
				cost := func(n int) int64 {
					if unit == quota.PerCall {
						return 1
					}
					return int64(n)
				}
				var spent, batch int64 = 0, cost(100)
				type flying struct{ replica, n int }
				var flight []flying
				idle, told := 0, r.now
				for idle < 200 { // rounds in which nobody gets leave and nothing is under way
					r.now = r.now.Add(time.Duration(rnd.IntN(300)) * time.Millisecond)
					if r.now.Sub(told) > 5*time.Second && len(flight) > 0 { // as a lane does while calls are under way
						told = r.now
						for _, l := range r.all {
							r.tell(l, false)
						}
					}
					i, n := rnd.IntN(len(r.all)), 1+rnd.IntN(100)
					switch {
					case len(flight) > 0 && rnd.IntN(3) == 0:
						k := rnd.IntN(len(flight))
						f := flight[k]
						flight = append(flight[:k], flight[k+1:]...)
						sent := rnd.IntN(10) > 0
						if sent {
							spent += cost(f.n)
						}
						r.all[f.replica].End(r.now, quota.Call{OpenIDs: f.n}, sent)
					case rnd.IntN(10) == 0:
						r.tell(r.all[i], false)
					case r.begin(r.all[i], n) == quota.Granted:
						flight = append(flight, flying{i, n})
						idle = 0
						continue
					}
					if len(flight) == 0 {
						idle++
					}
				}
				if spent < limit || spent >= limit+3*batch {
					t.Fatalf("unit %q, seed %d: %d spent of %d", unit, seed, spent, limit)
				}
			}
		}
	}
}

// A busy replica tells the others every two seconds, and has no need to ask
// between.
func TestPlentyIsReservedInGoodTime(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 500_000, quota.PerCall, 100
	r := newReplicas(t, 3, cfg)
	for range 60 { // two minutes, at fifty calls a second each
		for range 100 {
			for _, l := range r.all {
				if leave := r.begin(l, 100); leave != quota.Granted {
					t.Fatalf("leave %d", leave)
				}
				l.End(r.now, quota.Call{OpenIDs: 100}, true)
			}
		}
		for _, l := range r.all {
			r.tell(l, false)
		}
		r.now = r.now.Add(2 * time.Second)
	}
	if want := 60*3 + 3; r.puts > want {
		t.Errorf("%d writes, want %d: one each at first, and then one in two seconds", r.puts, want)
	}
}

func TestReserveLapses(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 4, quota.PerCall, 1
	r := newReplicas(t, 2, cfg)
	dies, lives := r.all[0], r.all[1]
	for range 3 {
		if leave := r.begin(lives, 100); leave != quota.Granted {
			t.Fatalf("leave %d", leave)
		}
		lives.End(r.now, quota.Call{OpenIDs: 100}, true)
	}
	r.tell(dies, false) // it reserves what is left
	leave, until := lives.Begin(r.now, quota.Call{OpenIDs: 100}, false)
	if leave != quota.Wait || !until.After(r.now) || until.After(r.now.Add(20*time.Second)) {
		t.Fatalf("leave %d until %v, want to wait for what the other has reserved", leave, until)
	}
	if r.now = until; r.begin(lives, 100) != quota.Granted {
		t.Error("what a dead replica has reserved is lost")
	}
	lives.End(r.now, quota.Call{OpenIDs: 100}, true)
	if leave := r.begin(lives, 100); leave != quota.Spent {
		t.Errorf("leave %d, want none", leave)
	}
}

func TestReserveIsGivenBack(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 1, quota.PerCall, 1
	r := newReplicas(t, 2, cfg)
	r.tell(r.all[0], false)
	if leave, _ := r.all[1].Begin(r.now, quota.Call{OpenIDs: 1}, false); leave != quota.Wait {
		t.Fatalf("leave %d, want to wait", leave)
	}
	r.tell(r.all[0], true)
	if r.begin(r.all[1], 1) != quota.Granted {
		t.Error("what a replica has given back is not to be had")
	}
}

// A replica does not spend what it has reserved once the others may think that
// it is dead, nor on another day.
func TestOldReserveIsNotSpent(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 1000, quota.PerCall, 1
	r := newReplicas(t, 1, cfg)
	l := r.all[0]
	r.tell(l, false)
	for _, later := range []time.Duration{time.Minute, 24 * time.Hour} {
		if leave, _ := l.Begin(r.now.Add(later), quota.Call{OpenIDs: 1}, false); leave != quota.Ask {
			t.Errorf("leave %d after %v, want to ask", leave, later)
		}
	}
}

// Who cannot tell anybody goes by what it knows itself.
func TestAloneNothingIsReserved(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 2, quota.PerCall, 1
	l := quota.New(cfg)
	for i, want := range []quota.Leave{quota.Granted, quota.Granted, quota.Wait} {
		if leave, _ := l.Begin(noon, quota.Call{OpenIDs: 1}, true); leave != want {
			t.Errorf("call %d: leave %d, want %d", i, leave, want)
		}
	}
	l.End(noon, quota.Call{OpenIDs: 1}, true)
	l.End(noon, quota.Call{OpenIDs: 1}, false)
	for i, want := range []quota.Leave{quota.Granted, quota.Wait} {
		if leave, _ := l.Begin(noon, quota.Call{OpenIDs: 1}, true); leave != want {
			t.Errorf("call %d of the second round: leave %d, want %d", i, leave, want)
		}
	}
	l.End(noon, quota.Call{OpenIDs: 1}, true)
	if leave, _ := l.Begin(noon, quota.Call{OpenIDs: 1}, true); leave != quota.Spent {
		t.Errorf("leave %d, want none", leave)
	}
}

// WeChat says more is used than we know of: what is reserved is of that rest.
func TestReadingShrinksTheReserve(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit, cfg.Unit, cfg.Batch = 1000, quota.PerCall, 1
	r := newReplicas(t, 1, cfg)
	l := r.all[0]
	r.tell(l, false)
	next, d := l.OfferReading(r.now, r.stored, l.Asked(r.now), 5000, quota.Reading{At: r.now, Used: 997})
	l.Flushed(r.now, d, next)
	r.stored = next
	n := 0
	for ; n < 10 && r.begin(l, 1) == quota.Granted; n++ {
		l.End(r.now, quota.Call{OpenIDs: 1}, true)
	}
	if n > 3 {
		t.Errorf("%d calls more, want 3", n)
	}
}
