package split_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline/internal/split"
)

// narrow runs a Split against a set of bad numbers, and returns what it found,
// what it cleared, what it gave back and how many calls it made.
func narrow(group []int, bad map[int]bool) (leaf int, cleared, unknown []int, calls int) {
	refuses := func(ask []int) bool {
		calls++
		for _, n := range ask {
			if bad[n] {
				return true
			}
		}
		return false
	}
	s := split.New(group)
	for ask := s.Ask(); ask != nil; ask = s.Ask() {
		if refuses(ask) {
			unknown = append(unknown, s.Refused()...)
		} else {
			cleared = append(cleared, ask...)
			s.Answered()
		}
	}
	leaf, inferred := s.Leaf()
	if inferred {
		refuses([]int{leaf})
	}
	return leaf, cleared, unknown, calls
}

func numbers(n int) []int {
	group := make([]int, n)
	for i := range group {
		group[i] = i
	}
	return group
}

func TestFindsTheOneWhereverItIs(t *testing.T) {
	t.Parallel()
	for size := 1; size <= 100; size++ {
		for bad := range size {
			leaf, cleared, unknown, calls := narrow(numbers(size), map[int]bool{bad: true})
			if leaf != bad {
				t.Fatalf("of %d, %d is bad, found %d", size, bad, leaf)
			}
			if len(cleared)+len(unknown)+1 != size {
				t.Fatalf("of %d: %d cleared and %d given back", size, len(cleared), len(unknown))
			}
			// With the refused call before and one for what was given back, that
			// is at most 10 calls for one bad in 100.
			if limit := int(math.Ceil(math.Log2(float64(size)))) + 1; calls > limit {
				t.Errorf("of %d, %d is bad: %d calls, want %d at most", size, bad, calls, limit)
			}
		}
	}
}

func TestLeafIsBadWhateverElseIs(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		size := 1 + rng.IntN(100)
		bad := map[int]bool{rng.IntN(size): true}
		for range rng.IntN(10) {
			bad[rng.IntN(size)] = true
		}
		leaf, cleared, unknown, _ := narrow(numbers(size), bad)
		if !bad[leaf] {
			t.Fatalf("found %d, which is not bad", leaf)
		}
		for _, n := range cleared {
			if bad[n] {
				t.Fatalf("cleared %d, which is bad", n)
			}
		}
		if len(cleared)+len(unknown)+1 != size {
			t.Fatalf("of %d: %d cleared, %d unknown", size, len(cleared), len(unknown))
		}
	}
}

// TestCostAgainstTheBound queues people of whom a share p is refused, looks
// them up 100 at a time, puts what a split leaves unknown back into the queue,
// and compares the calls with what no method can do without: H(p) for each
// person, since a call tells at most one bit, and one call for each 100.
func TestCostAgainstTheBound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ p, most float64 }{
		// most is the calls per 1,000 people that we let it cost
		{0.0001, 12}, {0.001, 22}, {0.005, 52}, {0.01, 90}, {0.02, 175}, {0.05, 430}, {0.1, 850},
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
			for len(queue) > 0 {
				group := queue[:min(100, len(queue))]
				queue = queue[len(group):]
				calls++
				if !anyBad(group, bad) {
					continue
				}
				leaf, _, unknown, more := narrow(group, bad)
				if !bad[leaf] {
					t.Fatal("found somebody who is not bad")
				}
				found++
				calls += more
				queue = append(append([]int{}, unknown...), queue...)
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
