package split_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline/internal/split"
)

// TestCostAgainstTheBound queues people of whom a share p is refused, looks
// them up in calls as large as the share seen so far advises, puts what a
// split leaves unknown back into the queue, and compares the calls with what
// no method can do without: H(p) for each person, since a call tells at most
// one bit, and one call for each 100.
func TestCostAgainstTheBound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ p, most float64 }{
		// most is the calls per 1,000 people that we let it cost
		{0.0001, 12}, {0.001, 22}, {0.005, 52}, {0.01, 90}, {0.02, 160}, {0.05, 325}, {0.1, 540},
	} {
		t.Run(fmt.Sprint(tc.p), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 4))
			const people = 30_000
			bad := make(map[int]bool)
			for n := range people {
				if rng.Float64() < tc.p {
					bad[n] = true
				}
			}
			queue, calls, found := numbers(people), 0, 0
			var share split.Share
			for len(queue) > 0 {
				rest := len(queue) - min(share.Size(100), len(queue))
				group := slices.Clone(queue[rest:])
				queue = queue[:rest]
				calls++
				if !anyBad(group, bad) {
					share.Add(len(group), 0)
					continue
				}
				leaf, cleared, unknown, more := narrow(group, bad)
				if !bad[leaf] {
					t.Fatal("found somebody who is not bad")
				}
				share.Add(len(cleared), 1)
				found++
				calls += more
				queue = append(queue, unknown...)
			}
			if found != len(bad) {
				t.Fatalf("found %d of %d", found, len(bad))
			}
			cost := float64(calls) / people * 1000
			bound := 1000 * max(entropy(tc.p), 0.01)
			t.Logf("p = %.2f %%: %.1f calls per 1,000, bound %.1f", 100*tc.p, cost, bound)
			if cost > tc.most {
				t.Errorf("%.1f calls per 1,000, want %.0f at most", cost, tc.most)
			}
		})
	}
}

func anyBad(group []int, bad map[int]bool) bool {
	for _, n := range group {
		if bad[n] {
			return true
		}
	}
	return false
}

func entropy(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }

func TestShareFollowsWhatItSees(t *testing.T) {
	t.Parallel()
	var s split.Share
	size := func(when string, low, high int) {
		t.Helper()
		if n := s.Size(100); n < low || n > high {
			t.Errorf("%s: %d in a call, want %d to %d", when, n, low, high)
		}
	}
	size("before anything", 100, 100)
	s.Add(0, 1)
	size("one is refused", 100, 100)
	for range 3000 {
		s.Add(9, 1)
	}
	size("a tenth is refused", 6, 7)
	if n := s.Size(5); n != 5 {
		t.Errorf("%d in a call that takes 5", n)
	}
	s.Add(0, 0)
	for range 3000 {
		s.Add(0, 1)
	}
	size("everybody is refused", 1, 1)
	for range 60 {
		s.Add(100, 0)
	}
	size("6,000 are answered", 100, 100)
	for range 1000 {
		s.Add(100, 0)
	}
	size("a share too small to count", 100, 100)
}
