package split_test

import (
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
