package quota_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// noon in Beijing
var noon = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func auto() quota.Config { return quota.Config{UseAtMost: 1, BulkShare: 0.3} }

func spend(l *quota.Ledger, now time.Time, calls, openids int) {
	for range calls {
		call(l, now, quota.Call{OpenIDs: openids})
	}
}

// call makes a call.
func call(l *quota.Ledger, now time.Time, c quota.Call) {
	l.Force(c)
	l.End(now, c, true)
}

// read is what WeChat says at a time, all that was spent before included.
func read(l *quota.Ledger, now time.Time, limit, used int64, flight int64) {
	l.Read(now, l.Asked(now), limit, quota.Reading{At: now, Used: used, Flight: flight})
}

// delta is what a replica has not told.
func delta(l *quota.Ledger, now time.Time) quota.Delta {
	_, d := l.Offer(now, l.Shared(), true)
	return d
}

func TestDay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ now, day, midnight string }{
		{"2026-11-22T15:59:59Z", "2026-11-22", "2026-11-22T16:00:00Z"},
		{"2026-11-22T16:00:00Z", "2026-11-23", "2026-11-23T16:00:00Z"},
		{"2026-12-31T20:00:00Z", "2027-01-01", "2027-01-01T16:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, tc.now)
		if err != nil {
			t.Fatal(err)
		}
		if day, midnight := quota.Day(now), quota.Midnight(now).UTC().Format(time.RFC3339); day != tc.day || midnight != tc.midnight {
			t.Errorf("%s: %s until %s, want %s until %s", tc.now, day, midnight, tc.day, tc.midnight)
		}
	}
}

func TestUnitIsFoundOut(t *testing.T) {
	t.Parallel()
	const base = 10_000 // used before we looked
	for _, tc := range []struct {
		name    string
		calls   int
		openids int // in each
		rises   []int64
		want    quota.Unit
	}{
		{"a call each", 100, 100, []int64{100}, quota.PerCall},
		{"a call each, another spends too", 100, 100, []int64{2600}, quota.PerCall},
		{"openids, once seen", 100, 100, []int64{10_000}, quota.Undecided},
		{"openids, seen twice", 100, 100, []int64{10_000, 10_000}, quota.PerOpenID},
		{"openids, another spends too", 100, 100, []int64{14_000, 11_000}, quota.PerOpenID},
		{"another spends as much, but not for ever", 100, 100, []int64{10_000, 100}, quota.PerCall},
		{"taken for openids, and then disproved", 100, 100, []int64{10_000, 10_000, 300}, quota.PerCall},
		{"small batches tell nothing", 1000, 5, []int64{1000, 1000}, quota.Undecided},
		{"a base of ten thousand is not exact enough for few", 5, 100, []int64{5}, quota.Undecided},
		{"few, until there are enough", 5, 100, []int64{5, 5, 5, 5}, quota.PerCall},
		{"a counter that lags behind", 1000, 100, []int64{0}, quota.Undecided},
		{"nothing of ours", 0, 0, []int64{10_000, 10_000}, quota.Undecided},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, now, used := quota.New(auto()), noon, int64(base)
			read(l, now, 500_000, used, 0)
			for _, rise := range tc.rises {
				spend(l, now, tc.calls, tc.openids)
				now, used = now.Add(time.Hour), used+rise
				read(l, now, 500_000, used, 0)
			}
			if got := l.Unit(); got != tc.want {
				t.Errorf("unit %q, want %q", got, tc.want)
			}
			if got := l.Used(now); got != used {
				t.Errorf("used %d, want what WeChat says, %d", got, used)
			}
		})
	}
}

func TestUnitIsNotReadOutOfNoise(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*quota.Ledger){
		// Exact to one percent: 3,000,000 may be anything from 2,970,000.
		"of the counter": func(l *quota.Ledger) {
			read(l, noon, 5_000_000, 3_000_000, 0)
			spend(l, noon, 100, 100)
			read(l, noon.Add(time.Hour), 5_000_000, 3_000_100, 0)
		},
		"of calls in flight": func(l *quota.Ledger) {
			read(l, noon, 5_000_000, 0, 400)
			spend(l, noon, 15, 100)
			read(l, noon.Add(time.Hour), 5_000_000, 15, 400)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := quota.New(auto())
			read(l)
			if got := l.Unit(); got != quota.Undecided {
				t.Errorf("unit %q from a difference that may be chance", got)
			}
		})
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	for unit, want := range map[quota.Unit]int64{quota.Undecided: 1000, quota.PerOpenID: 1000, quota.PerCall: 10} {
		cfg := auto()
		cfg.Unit = unit
		l := quota.New(cfg)
		spend(l, noon, 10, 100)
		if got := l.Used(noon); got != want {
			t.Errorf("unit %q: used %d, want %d", unit, got, want)
		}
		if left, _, unlimited := l.EarlyCalls(noon); unlimited != (unit == quota.PerOpenID) || !unlimited && left != quota.Default-want {
			t.Errorf("unit %q: %d early calls, unlimited %t", unit, left, unlimited)
		}
	}
}

func TestDayRollsOver(t *testing.T) {
	t.Parallel()
	cfg := auto()
	cfg.Limit = 2000
	l := quota.New(cfg)
	read(l, noon, 500_000, 1500, 0)
	spend(l, noon, 10, 100)
	before := quota.Midnight(noon).Add(-time.Second)
	if got := l.Used(before); got != 2500 || !l.Exhausted(before) || l.Left(before) != 0 {
		t.Errorf("before midnight: used %d, left %d, exhausted %t", got, l.Left(before), l.Exhausted(before))
	}
	late := delta(l, before)
	after := quota.Midnight(noon)
	if got := l.Used(after); got != 0 || l.Exhausted(after) || l.Left(after) != 2000 {
		t.Errorf("after midnight: used %d, left %d, exhausted %t", got, l.Left(after), l.Exhausted(after))
	}
	if s := l.Shared().Add(after, late); s.Spent != (quota.Spending{}) {
		t.Errorf("yesterday's calls count today: %+v", s)
	}
}

func TestExhausted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  quota.Config
		read int64 // the limit that WeChat says; 0: nothing
		used int64
		want bool
	}{
		{"WeChat says so itself", auto(), 1000, 1000, false},
		{"a share of WeChat's", quota.Config{UseAtMost: 0.5}, 1000, 500, true},
		{"a share, not yet", quota.Config{UseAtMost: 0.5}, 1000, 499, false},
		{"a share of nobody knows what", quota.Config{UseAtMost: 0.5}, 0, 3_000_000, false},
		{"a number", quota.Config{Limit: 700, UseAtMost: 1}, 1000, 700, true},
		{"a number, not yet", quota.Config{Limit: 700, UseAtMost: 1}, 1000, 699, false},
		{"a number above WeChat's", quota.Config{Limit: 7000, UseAtMost: 1}, 1000, 1000, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := quota.New(tc.cfg)
			if tc.read > 0 {
				read(l, noon, tc.read, tc.used, 0)
			} else {
				spend(l, noon, 1, int(tc.used))
			}
			if got := l.Exhausted(noon); got != tc.want {
				t.Errorf("exhausted %t with %d left of %d", got, l.Left(noon), l.Limit())
			}
		})
	}
}

func TestReplicasAddUp(t *testing.T) {
	t.Parallel()
	a, b := quota.New(auto()), quota.New(auto())
	spend(a, noon, 3, 100)
	spend(b, noon, 2, 100)
	call(b, noon, quota.Call{OpenIDs: 50, Bulk: true})

	stored, d := a.Offer(noon, quota.Shared{}, false)
	a.Flushed(noon, d, stored)
	stored, d = b.Offer(noon, stored, false)
	spend(b, noon, 1, 7) // while it is being stored
	b.Flushed(noon, d, stored)
	if got := b.Used(noon); got != 557 {
		t.Errorf("used %d, want 557: that of both, and what is not told", got)
	}
	if want := (quota.Delta{Day: "2026-11-22", Spent: quota.Spending{Calls: 1, OpenIDs: 7}}); delta(b, noon) != want {
		t.Errorf("not told: %+v, want %+v", delta(b, noon), want)
	}

	data, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	var back quota.Shared
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, back); diff != "" {
		t.Errorf("%s: %s", data, diff)
	}
	a.Apply(noon, back)
	if got := a.Used(noon); got != 550 {
		t.Errorf("used %d, want 550", got)
	}

	asked := b.Asked(noon.Add(time.Minute))
	call(b, noon.Add(time.Minute), quota.Call{OpenIDs: 3}) // WeChat may have answered before that
	stored, _ = b.OfferReading(noon.Add(time.Minute), stored, asked, 1_000_000, quota.Reading{At: noon.Add(time.Minute), Used: 5000})
	a.Apply(noon.Add(time.Minute), stored)
	if got := a.Used(noon.Add(time.Minute)); got != 5003 || a.Limit() != 1_000_000 || !a.Known() {
		t.Errorf("used %d of %d, want 5003 of 1000000", got, a.Limit())
	}
}

func TestBulkHasItsShare(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, tc := range []struct {
		name string
		bulk int     // calls of 100 that bulk has made
		live float64 // units a second
		want bool
	}{
		{"at first", 0, 0, true},
		{"up to its share", 29, 0, true},
		{"above its share", 30, 0, false},
		{"live traffic leaves enough", 0, 0.2, true}, // 8,640 until midnight
		{"live traffic needs it", 0, 0.24, false},    // 10,368
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := quota.New(quota.Config{Limit: limit, UseAtMost: 1, BulkShare: 0.3})
			for range tc.bulk {
				call(l, noon, quota.Call{OpenIDs: 100, Bulk: true})
			}
			if got := l.AllowBulk(noon, 1, 100, tc.live); got != tc.want {
				t.Errorf("allowed %t", got)
			}
		})
	}
}

func TestLiveRate(t *testing.T) {
	t.Parallel()
	l := quota.New(quota.Config{Limit: 100_000, Unit: quota.PerOpenID, UseAtMost: 1, BulkShare: 0.3})
	spend(l, noon, 432, 100) // half a day
	call(l, noon, quota.Call{OpenIDs: 10_000, Bulk: true})
	if got := l.LiveRate(noon); got != 1 {
		t.Errorf("%g a second, want 1", got)
	}
	notMade := quota.Call{OpenIDs: 5000, Bulk: true}
	l.Force(notMade)
	l.End(noon, notMade, false)
	if got := l.LiveRate(noon); got != 1 {
		t.Errorf("%g a second after a call that was not made, want 1", got)
	}
	l = quota.New(quota.Config{Limit: 100_000, Unit: quota.PerOpenID, UseAtMost: 1})
	early := time.Date(2026, 11, 21, 16, 0, 1, 0, time.UTC) // a second after midnight
	spend(l, early, 36, 100)
	if got := l.LiveRate(early); got != 1 {
		t.Errorf("%g a second right after midnight, want 1", got)
	}
}

func TestClearedQuota(t *testing.T) {
	t.Parallel()
	l := quota.New(auto())
	read(l, noon, 500_000, 400_000, 0)
	spend(l, noon, 100, 100)
	read(l, noon.Add(time.Hour), 500_000, 20, 0) // somebody has cleared it
	if l.Used(noon.Add(time.Hour)) != 20 || l.Unit() != quota.Undecided {
		t.Errorf("used %d, unit %q", l.Used(noon.Add(time.Hour)), l.Unit())
	}
}

func TestCallsThatWereNotSentCostNothing(t *testing.T) {
	t.Parallel()
	l := quota.New(auto())
	hundred, seven := quota.Call{OpenIDs: 100}, quota.Call{OpenIDs: 7}
	l.Force(hundred)
	l.Force(seven)
	if got := l.Flight(); got != 107 || l.Used(noon) != 0 {
		t.Errorf("%d openids under way and %d used, want 107 and none", got, l.Used(noon))
	}
	l.End(noon, hundred, false)
	l.End(noon, seven, true)
	if got := l.Used(noon); got != 7 || l.Flight() != 0 {
		t.Errorf("used %d, %d under way, want 7 and none", got, l.Flight())
	}
}

func TestFewBatchesTellTheUnit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		calls   int
		openids int // in each
		base    int64
		rises   []int64
		want    quota.Unit
	}{
		{"one call", 1, 100, 0, []int64{1}, quota.PerCall},
		{"four calls", 4, 100, 300, []int64{4}, quota.PerCall},
		{"four calls, another spends too", 4, 100, 300, []int64{8}, quota.PerCall},
		{"another spends more, until there is more evidence", 4, 100, 300, []int64{30, 5, 5}, quota.PerCall},
		{"openids, once seen", 4, 100, 0, []int64{400}, quota.Undecided},
		{"openids, seen twice", 4, 100, 0, []int64{400, 400}, quota.PerOpenID},
		{"openids, counted late", 4, 100, 0, []int64{0, 300, 500}, quota.Undecided},
		{"openids, disproved", 4, 100, 0, []int64{400, 400, 4}, quota.PerCall},
		{"the counter has not moved", 4, 100, 0, []int64{0}, quota.Undecided},
		{"not a batch", 4, 20, 0, []int64{4}, quota.Undecided},
		{"what is used is not exact enough", 1, 100, 5000, []int64{1}, quota.Undecided},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, now, used := quota.New(auto()), noon, tc.base
			read(l, now, 500_000, used, 400) // a lane begins with calls in flight
			read(l, now, 500_000, used, 0)
			for _, rise := range tc.rises {
				spend(l, now, tc.calls, tc.openids)
				if l.Unit() == quota.Undecided && !l.Guessed(now) {
					t.Error("what is used is taken for certain")
				}
				now, used = now.Add(time.Minute), used+rise
				read(l, now, 500_000, used, 0)
				if l.Guessed(now) {
					t.Error("a reading is taken for a guess")
				}
			}
			if got := l.Unit(); got != tc.want {
				t.Errorf("unit %q, want %q", got, tc.want)
			}
		})
	}
}
