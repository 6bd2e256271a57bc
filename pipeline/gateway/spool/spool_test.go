package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
)

func open(t *testing.T, dir string, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func add(t *testing.T, s *spool.Spool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := s.Append(spool.Record{At: time.Unix(int64(i), 0), Data: fmt.Appendf(nil, "record %d", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// take wants the next records to be those from the first to the last.
func take(t *testing.T, s *spool.Spool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		r, err := s.Next(t.Context())
		if err != nil || string(r.Data) != fmt.Sprint("record ", i) || r.At.Unix() != int64(i) {
			t.Fatalf("record %d: %q at %v, %v", i, r.Data, r.At, err)
		}
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
}

// crash is a copy of the folder as a process that dies now leaves it.
func crash(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.spool*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func TestOrderAcrossCrashes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{SegmentBytes: 100})
	add(t, s, 0, 50)
	take(t, s, 0, 7)
	dir = crash(t, dir)
	s = open(t, dir, spool.Options{SegmentBytes: 100})
	if st := s.Stats(); st.Records != 43 || st.Oldest.Unix() != 7 {
		t.Errorf("after a crash: %+v", st)
	}
	add(t, s, 50, 60)
	take(t, s, 7, 40)
	dir = crash(t, dir)
	s = open(t, dir, spool.Options{})
	take(t, s, 40, 60)
	if st := s.Stats(); st != (spool.Stats{}) {
		t.Errorf("empty: %+v", st)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("done with, and yet there: %v", left)
	}
	add(t, s, 60, 61) // and goes on
	take(t, s, 60, 61)
	if err := s.Done(); err == nil {
		t.Error("done with nothing")
	}
}

// A cursor that a power cut has taken: records come again, none is left out.
func TestLostCursor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{})
	add(t, s, 0, 5)
	take(t, s, 0, 3)
	for _, broken := range []string{"", "half", "0123456789012345678901234"} {
		copied := crash(t, dir)
		if err := os.WriteFile(filepath.Join(copied, "cursor"), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		take(t, open(t, copied, spool.Options{}), 0, 5)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{SegmentBytes: 100}) // five records in a file
	add(t, s, 0, 12)
	all := files(t, dir)
	if len(all) != 3 {
		t.Fatalf("files: %v", all)
	}
	// A record that a power cut cut short is not in the queue.
	torn := crash(t, dir)
	last := filepath.Join(torn, all[2])
	if err := os.Truncate(last, 40); err != nil {
		t.Fatal(err)
	}
	s = open(t, torn, spool.Options{})
	take(t, s, 0, 11)
	if st := s.Stats(); s.Len() != 0 || st.Damaged != 0 {
		t.Errorf("%d left, %d bytes damaged", s.Len(), st.Damaged)
	}
	// What cannot be read stays on disk, and what comes after it is read.
	bad := crash(t, dir)
	first := filepath.Join(bad, all[0])
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b[60] ^= 1
	if err := os.WriteFile(first, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, bad, spool.Options{})
	if st := s.Stats(); st.Damaged == 0 || st.Records != 9 {
		t.Errorf("%+v: three records of twelve are damaged", st)
	}
	take(t, s, 0, 2)
	take(t, s, 5, 12)
	if d := cmp.Diff([]string{all[0] + ".damaged"}, files(t, bad)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	// Damage under our feet.
	live := crash(t, dir)
	s = open(t, live, spool.Options{})
	if err := os.WriteFile(filepath.Join(live, all[0]), b, 0o600); err != nil {
		t.Fatal(err)
	}
	take(t, s, 0, 2)
	if r, err := s.Next(t.Context()); err == nil {
		t.Errorf("a damaged record: %q", r.Data)
	}
	take(t, s, 5, 12)
	if st := s.Stats(); s.Len() != 0 || st.Damaged == 0 {
		t.Errorf("%d left, %d bytes damaged", s.Len(), st.Damaged)
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), spool.Options{MaxBytes: 3 * 24})
	add(t, s, 0, 3)
	r := spool.Record{Data: []byte("record 3"), At: time.Unix(3, 0)}
	if err := s.Append(r); !errors.Is(err, spool.ErrFull) {
		t.Errorf("a fourth: %v", err)
	}
	take(t, s, 0, 1)
	if err := s.Append(r); err != nil {
		t.Error(err)
	}
	take(t, s, 1, 4)
	if err := s.Append(spool.Record{Data: make([]byte, 5<<20)}); err == nil {
		t.Error("a record of 5 MiB")
	}
}

func TestConcurrentAppends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{SegmentBytes: 1 << 12})
	const writers, each = 20, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Append(spool.Record{Data: []byte{byte(w), byte(i)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := [writers]byte{}
	for range writers * each {
		r, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w := r.Data[0]; r.Data[1] != next[w] {
			t.Fatalf("writer %d: record %d, want %d", w, r.Data[1], next[w])
		}
		next[r.Data[0]]++
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if s.Len() != 0 || len(files(t, dir)) != 0 {
		t.Errorf("%d left in %v", s.Len(), files(t, dir))
	}
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{})
	if _, err := spool.Open(dir, spool.Options{}); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("a second: %v", err)
	}
	add(t, s, 0, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Append(spool.Record{}); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	take(t, open(t, dir, spool.Options{}), 0, 1)
}

func TestAside(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), spool.Options{})
	if path, err := s.Aside(); err == nil {
		t.Errorf("nothing is at %s", path)
	}
	add(t, s, 0, 2)
	path, err := s.Aside()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "record 0" {
		t.Errorf("%s: %q, %v", path, b, err)
	}
	take(t, s, 1, 2)
}

func TestNextWaits(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), spool.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := s.Next(ctx); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v", err)
	}
	got := make(chan string, 1)
	go func() { r, _ := s.Next(t.Context()); got <- string(r.Data) }()
	add(t, s, 9, 10)
	if text := <-got; text != "record 9" {
		t.Errorf("Next = %q", text)
	}
}

// A folder that cannot be written to: nobody is told that a record is taken.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, spool.Options{SegmentBytes: 1})
	add(t, s, 0, 1)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(spool.Record{Data: []byte("x")}); err == nil {
		t.Error("taken without a folder")
	}
	if s.Len() != 1 {
		t.Errorf("%d records, want 1", s.Len())
	}
}
