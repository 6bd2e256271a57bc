package ring

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func key(i int) []byte { return fmt.Appendf(nil, "key %d", i) }

// value is of a length that depends on who and when.
func value(i, version int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d of %d;", version, i), 1+(i+version)%40)
}

// TestRing puts more than there is room for: the latest must be there, what is
// there must be the latest of its key, and memory must stay within the bound.
func TestRing(t *testing.T) {
	for _, most := range []int{1000, 100_000, 1 << 20} {
		r, rng := New(most), rand.New(rand.NewPCG(1, uint64(most)))
		latest := make(map[int]int)
		for n := range 20_000 {
			i := rng.IntN(5000)
			latest[i] = n
			r.Put(key(i), value(i, n))
			if fits := header+len(key(i))+len(value(i, n))+perEntry <= most; fits != (r.Get(key(i)) != nil) {
				t.Fatalf("%d bytes: entry %d is there: %v", most, n, !fits)
			}
			if used := r.used + len(r.places)*perEntry; used > most+perEntry*len(r.places) {
				t.Fatalf("%d bytes are used, want %d at most", used, most)
			}
		}
		there := 0
		for i, n := range latest {
			if got := r.Get(key(i)); got != nil {
				there++
				if !bytes.Equal(got, value(i, n)) {
					t.Fatalf("entry %d is not the latest: %.40q", i, got)
				}
			}
		}
		if there != len(r.places) || there == 0 {
			t.Errorf("%d bytes: %d entries are there, %d are known", most, there, len(r.places))
		}
	}
}

// TestGrows holds a ring to what it may take: a quarter as long as nobody finds
// anything, all of it for people who come back, and no more than that.
func TestGrows(t *testing.T) {
	const most = 1 << 20
	const about = most / 16 // the map's part is looked at when there is a new chunk only
	r := New(most)
	taken := func() int { return r.used + len(r.places)*perEntry }
	for i := range 20_000 {
		if r.Put(key(i), value(i, i)); r.Get(key(-i-1)) != nil || taken() > most/4+about {
			t.Fatalf("%d bytes are taken though nobody found anything, want %d at most", taken(), most/4)
		}
	}
	for i := range 20_000 {
		if r.Put(key(i), value(i, i)); r.Get(key(i)) == nil || taken() > most+about {
			t.Fatalf("%d bytes are taken, want %d at most", taken(), most)
		}
	}
	if taken() < most*9/10 {
		t.Errorf("%d bytes are taken though all were found, want about %d", taken(), most)
	}
}

// TestGrowsForACycle has the same people come round and round, a few more than a
// quarter of the ring has room for: none is ever found there, and all would be in
// a larger one.
func TestGrowsForACycle(t *testing.T) {
	const most = 4 << 20
	r := New(most)
	put := func(i int) (found bool) {
		if found = r.Get(key(i)) != nil; !found {
			r.Put(key(i), make([]byte, 400))
		}
		return found
	}
	const people = most / 2 / 500
	found := 0
	for range 10 {
		for i := range people {
			if put(i) {
				found++
			}
		}
	}
	if least := people * 7; found < least {
		t.Errorf("%d of %d were found, want %d: of ten rounds the last seven at least", found, 10*people, least)
	}
}

func TestTooLarge(t *testing.T) {
	r := New(1000)
	r.Put(key(1), value(1, 1))
	r.Put(key(2), make([]byte, 1000))
	if r.Get(key(2)) != nil || r.Get(key(1)) == nil {
		t.Error("an entry larger than the ring is kept, or pushes out another")
	}
}

func TestDelete(t *testing.T) {
	r := New(1 << 20)
	for i := range 100 {
		r.Put(key(i), value(i, i))
	}
	r.Delete(func(k, v []byte) bool { return bytes.HasSuffix(k, []byte("7")) && bytes.Contains(v, []byte("of")) })
	for i := range 100 {
		if want := i%10 != 7; want != (r.Get(key(i)) != nil) {
			t.Errorf("%d is there: %v", i, !want)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	r, v := New(16<<20), make([]byte, 500)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Put(fmt.Appendf(make([]byte, 0, 64), "wx0123456789abcdef/o6_%024d", i), v)
	}
}
