package batch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/batch"
)

type item = batch.Item[string, int, struct{}]

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

func waiters(items []*item) map[string][]int {
	m := make(map[string][]int)
	for _, it := range items {
		m[it.Key] = it.Waiters
	}
	return m
}

func TestSameKeyIsOneItem(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	b.Add(at(0), "a", 1)
	b.Add(at(1), "b", 2)
	b.Add(at(2), "a", 3)
	if b.Len() != 2 {
		t.Fatalf("Len() = %d, want 2", b.Len())
	}
	got := waiters(b.Take(10))
	if !slices.Equal(got["a"], []int{1, 3}) || !slices.Equal(got["b"], []int{2}) {
		t.Errorf("Take = %v, want a: 1 3, b: 2", got)
	}
}

func TestSharedCountsWhoTakesNoPlace(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	want := func(n int, after string) {
		t.Helper()
		if b.Shared() != n {
			t.Errorf("Shared() = %d after %s, want %d", b.Shared(), after, n)
		}
	}
	for i, k := range []string{"a", "a", "a", "b", "b", "c"} {
		b.Add(at(i), k, i)
	}
	want(3, "three for a and two for b")
	taken := b.Take(2)
	b.Add(at(7), "a", 7)
	want(4, "one more for a, in flight")
	for _, v := range b.Done(taken[0]) {
		b.Add(at(8), "a", v)
	}
	want(1, "a is done, and who came meanwhile is first")
	b.Return(taken[1])
	want(1, "b is back")
	b.Drop(b.Take(1)[0])
	want(0, "b is dropped")
	if b.Flush(); b.Shared() != 0 {
		t.Errorf("Shared() = %d of nobody", b.Shared())
	}
}

func TestOldestIsTheFirstItemsTime(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	if _, ok := b.Oldest(); ok {
		t.Error("an empty batcher has an oldest item")
	}
	b.Add(at(5), "a", 1)
	b.Add(at(9), "a", 2) // a second waiter does not make the window start anew
	b.Add(at(9), "b", 3)
	if since, _ := b.Oldest(); !since.Equal(at(5)) {
		t.Errorf("Oldest() = %v, want %v", since, at(5))
	}
	b.Take(1)
	if since, _ := b.Oldest(); !since.Equal(at(9)) {
		t.Errorf("Oldest() after Take = %v, want %v", since, at(9))
	}
}

func TestKeyInFlightParks(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	b.Add(at(0), "a", 1)
	taken := b.Take(1)
	b.Add(at(3), "a", 2)
	b.Add(at(4), "a", 3)
	if b.Len() != 0 {
		t.Fatal("a key in flight is open as well: it would be asked twice at once")
	}
	if got := b.Done(taken[0]); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("Done = %v, want 2 3", got)
	}
	if b.Add(at(5), "a", 4); b.Len() != 1 {
		t.Error("a key that is done cannot come again")
	}
}

func TestReturnGoesFirst(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	b.Add(at(0), "a", 1)
	a := b.Take(1)[0]
	b.Add(at(1), "b", 2)
	b.Add(at(2), "a", 3)
	b.Return(a)
	items := b.Take(2)
	if items[0].Key != "a" || !slices.Equal(items[0].Waiters, []int{1, 3}) {
		t.Errorf("first item = %s %v, want a with 1 3", items[0].Key, items[0].Waiters)
	}
}

func TestDropAndFlushGiveBackAll(t *testing.T) {
	t.Parallel()
	b := batch.New[string, int, struct{}]()
	b.Add(at(0), "a", 1)
	a := b.Take(1)[0]
	b.Add(at(1), "a", 2)
	b.Add(at(1), "b", 3)
	if got := b.Drop(a); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("Drop = %v, want 1 2", got)
	}
	if got := b.Flush(); !slices.Equal(got, []int{3}) {
		t.Errorf("Flush = %v, want 3", got)
	}
	b.Add(at(2), "a", 4) // a dropped key can come again
	if b.Len() != 1 {
		t.Errorf("Len() = %d, want 1", b.Len())
	}
}

// FuzzNothingLost drives a Batcher at random: every value comes out exactly
// once, no key is taken twice at once, and no batch exceeds its size.
func FuzzNothingLost(f *testing.F) {
	f.Add([]byte{0, 1, 2, 64, 0, 128, 192, 65, 3, 4, 129, 250})
	f.Fuzz(func(t *testing.T, ops []byte) {
		b := batch.New[string, int, struct{}]()
		var taken []*item
		out := make(map[int]int)
		inFlight := make(map[string]bool)
		answer := func(vs []int) {
			for _, v := range vs {
				out[v]++
			}
		}
		values := 0
		for i, op := range ops {
			arg := int(op & 63)
			switch op >> 6 {
			case 0:
				b.Add(at(i), fmt.Sprint(arg%7), values)
				values++
			case 1:
				items := b.Take(arg % 5)
				if len(items) > arg%5 {
					t.Fatalf("Take(%d) gave %d", arg%5, len(items))
				}
				for _, it := range items {
					if inFlight[it.Key] {
						t.Fatalf("%s is taken twice at once", it.Key)
					}
					inFlight[it.Key] = true
				}
				taken = append(taken, items...)
			case 2, 3:
				if len(taken) == 0 {
					continue
				}
				it := taken[arg%len(taken)]
				taken = slices.DeleteFunc(taken, func(x *item) bool { return x == it })
				delete(inFlight, it.Key)
				switch arg % 3 {
				case 0:
					answer(it.Waiters)
					answer(b.Done(it))
				case 1:
					b.Return(it)
				case 2:
					answer(b.Drop(it))
				}
			}
		}
		for _, it := range taken {
			answer(b.Drop(it))
		}
		answer(b.Flush())
		for v := range values {
			if out[v] != 1 {
				t.Errorf("value %d came out %d times", v, out[v])
			}
		}
	})
}

func BenchmarkAddTakeDone(b *testing.B) {
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("o6_bmjrPTlm6_2sgVt7hMZOPf%03d", i)
	}
	bt := batch.New[string, int, struct{}]()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		bt.Add(t0, keys[i%100], i)
		if bt.Len() == 100 {
			for _, it := range bt.Take(100) {
				bt.Done(it)
			}
		}
	}
}
