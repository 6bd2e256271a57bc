package strike

import (
	"encoding/json"
	"testing"
	"time"
)

var (
	stored = time.Date(2026, 11, 24, 12, 0, 0, 123456789, time.UTC)
	poison = ID{7, stored}
	other  = ID{8, stored}
)

// again is the book as the next process reads it.
func again(t *testing.T, b *Book) *Book {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	next := new(Book)
	if err := json.Unmarshal(text, next); err != nil {
		t.Fatal(err)
	}
	return next
}

func TestThreeCrashesNobodyCaught(t *testing.T) {
	b := new(Book)
	for i, replica := range []string{"a", "b", "c", "d"} {
		if n := b.Times(poison, replica); n != i {
			t.Fatalf("%s finds it in %d crashes, want %d", replica, n, i)
		}
		b.Open([]ID{poison}, replica)
		if n := b.Times(poison, replica); n != i {
			t.Fatalf("to open it is not a crash: %d, want %d", n, i)
		}
		b = again(t, b)
	}
}

func TestStrike(t *testing.T) {
	b := new(Book)
	b.Open([]ID{poison, other}, "a")
	b.Settle([]ID{other})
	b.Strike([]ID{poison}, "a")
	b = again(t, b)
	if b.Times(poison, "b") != 1 || b.Times(poison, "a") != 1 || b.Times(other, "b") != 0 || b.Len() != 1 {
		t.Errorf("a crash that was caught is to count once: %+v", b.entries)
	}
}

func TestReleaseIsNoCrash(t *testing.T) {
	b := new(Book)
	b.Open([]ID{poison, other}, "a")
	b.Release([]ID{poison})
	if b.Times(poison, "b") != 0 || b.Len() != 1 {
		t.Errorf("what was handed back is still in the book: %+v", b.entries)
	}
	b.Strike([]ID{poison}, "a")
	b.Open([]ID{poison}, "b")
	b.Release([]ID{poison})
	if b.Times(poison, "c") != 1 {
		t.Errorf("%d crashes, want the one before", b.Times(poison, "c"))
	}
	b.Release([]ID{{99, stored}})
	if b.Len() != 2 {
		t.Errorf("%d entries", b.Len())
	}
}

func TestPrune(t *testing.T) {
	b := new(Book)
	b.Strike([]ID{poison, other}, "a")
	b.Prune(7)
	if b.Times(poison, "a") != 0 || b.Times(other, "a") != 1 {
		t.Errorf("%+v", b.entries)
	}
}

func TestSequenceUsedAgain(t *testing.T) {
	b := new(Book)
	b.Strike([]ID{poison}, "a")
	if n := b.Times(ID{poison.Seq, stored.Add(1)}, "a"); n != 0 {
		t.Errorf("another event of that sequence has %d", n)
	}
}

func TestBounded(t *testing.T) {
	b := new(Book)
	for i := range uint64(most + 10) {
		b.Strike([]ID{{i, stored}}, "a")
	}
	b.Strike([]ID{{0, stored}}, "a")
	if b.Len() != most || b.Times(ID{0, stored}, "a") != 2 {
		t.Errorf("%d entries", b.Len())
	}
}
