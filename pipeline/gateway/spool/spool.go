package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Options bound a spool.
type Options struct {
	MaxBytes     int64 // of all records; Append then fails with ErrFull. Default 256 MiB
	SegmentBytes int64 // a file's size at which the next begins. Default 8 MiB
}

// Errors of a spool.
var (
	ErrFull   = errors.New("the spool is full")
	ErrClosed = errors.New("the spool is closed")
	ErrLocked = errors.New("the spool's folder is in use by another process")
)

// maxRecord bounds a record in bytes, so that a damaged length allocates little.
const maxRecord = 4 << 20

// Spool is an open queue. Close ends it.
type Spool struct {
	dir     string
	opts    Options
	lock    *flock.Flock
	cursorF *os.File
	in      chan *request
	quit    chan struct{} // closed by Close
	written chan struct{} // closed when the writer has ended
	more    chan struct{} // holds one token when there may be a record for Next
	closing sync.Once

	mu       sync.Mutex // the fields below and the files; held during a sync
	segments []*segment // the oldest first
	writing  bool       // the last of them is being written to
	number   uint64     // of the last segment that was ever begun
	offset   int64      // of the oldest record, in the first segment
	length   int        // records that are not done
	bytes    int64      // that they take
	full     bool       // see Stats
	damaged  int64      // the same
}

// Open opens a folder, and makes it if it is missing. It reads all that is in
// it. The error wraps ErrLocked when another process has it open.
func Open(dir string, o Options) (*Spool, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 8 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { // people's data
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{
		dir: dir, opts: o, lock: flock.New(filepath.Join(dir, "lock")),
		in: make(chan *request), quit: make(chan struct{}), written: make(chan struct{}), more: make(chan struct{}, 1),
	}
	locked, err := s.lock.TryLock()
	if err == nil && !locked {
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	if err == nil {
		err = s.open()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), s.closeFiles())
	}
	go s.write()
	return s, nil
}

func (s *Spool) open() (err error) {
	if s.segments, err = openSegments(s.dir); err != nil {
		return err
	}
	for _, g := range s.segments {
		s.length += g.records
		s.bytes += g.size
		s.damaged += g.damaged
		s.number = max(s.number, g.number)
	}
	if s.cursorF, err = os.OpenFile(filepath.Join(s.dir, "cursor"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if len(s.segments) > 0 {
		if number, offset, ok := readCursor(s.cursorF); ok && number == s.segments[0].number {
			if done, begins := s.segments[0].recordsBefore(offset); begins {
				s.offset = offset
				s.length -= done
				s.bytes -= offset
			}
		}
	}
	s.wake()
	return nil
}

// Len is how many records are not done.
func (s *Spool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.length
}

// Stats says how full the spool is. Oldest is zero when it is empty.
type Stats struct {
	Records int
	Bytes   int64
	Full    bool  // a record was refused, and none is done since
	Damaged int64 // bytes that cannot be read, since Open; their file stays, as .damaged
	Oldest  time.Time
}

// Stats reads the oldest record.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Records: s.length, Bytes: s.bytes, Full: s.full, Damaged: s.damaged}
	if s.length > 0 {
		for i, g := range s.segments {
			offset := int64(0)
			if i == 0 {
				offset = s.offset
			}
			if offset < g.size {
				if r, _, err := g.read(offset); err == nil {
					st.Oldest = r.At
				}
				break
			}
		}
	}
	return st
}

// Next returns the oldest record, again and again until it is Done. It waits for
// one until ctx ends. An error other than the context's means that a record
// cannot be read; it is out of the way then, and the next call goes on.
func (s *Spool) Next(ctx context.Context) (Record, error) {
	for {
		r, ok, err := s.oldest()
		if ok || err != nil {
			return r, err
		}
		select {
		case <-s.more:
		case <-s.quit:
			return Record{}, ErrClosed
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		}
	}
}

func (s *Spool) oldest() (r Record, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 {
		g := s.segments[0]
		if s.offset < g.size {
			if r, _, err = g.read(s.offset); err == nil {
				return r, true, nil
			}
			// It was whole when it was written or opened. The rest of the file
			// may be damaged as well, and stays for a person to look at.
			at := s.offset
			s.forget(at)
			return r, false, fmt.Errorf("spool: %s at %d: %w; the rest of the file is left aside", g.path, at, err)
		}
		if err := s.dropFirst(); err != nil {
			return r, false, fmt.Errorf("spool: %w", err)
		}
	}
	return r, false, nil
}

// forget gives up the first segment from an offset on. It needs the lock.
func (s *Spool) forget(offset int64) {
	g := s.segments[0]
	done, _ := g.recordsBefore(offset)
	s.length -= g.records - done
	s.bytes -= g.size - offset
	s.damaged += g.size - offset
	g.size, g.records = offset, done
}

// dropFirst removes the first segment. It needs the lock.
func (s *Spool) dropFirst() error {
	g := s.segments[0]
	if len(s.segments) == 1 {
		s.writing = false // what comes next begins another
	}
	s.segments, s.offset = s.segments[1:], 0
	return g.remove()
}

// Done takes the oldest record, the one that Next returned, out of the queue.
func (s *Spool) Done() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 || s.offset >= s.segments[0].size {
		return errors.New("spool: nothing to be done with")
	}
	g := s.segments[0]
	_, next, err := g.read(s.offset)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.length--
	s.full = false
	s.bytes -= next - s.offset
	s.offset = next
	if err := writeCursor(s.cursorF, g.number, next); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if next >= g.size {
		if err := s.dropFirst(); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

// Aside takes the oldest record out of the queue and into a file of its own,
// whose path it returns, for what nobody can do anything with but a person.
func (s *Spool) Aside() (path string, err error) {
	r, ok, err := s.oldest()
	if !ok {
		return "", errors.Join(err, errors.New("spool: nothing to put aside"))
	}
	f, err := os.CreateTemp(s.dir, "aside-*")
	if err != nil {
		return "", fmt.Errorf("spool: %w", err)
	}
	_, err = f.Write(r.Data)
	if err := errors.Join(err, f.Sync(), f.Close(), syncFolder(s.dir)); err != nil {
		return "", fmt.Errorf("spool: %w", err)
	}
	return f.Name(), s.Done()
}

func (s *Spool) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Close ends the spool; what is in it stays. Calls after it fail with ErrClosed.
func (s *Spool) Close() error {
	s.closing.Do(func() { close(s.quit) })
	<-s.written
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeFiles()
}

func (s *Spool) closeFiles() error {
	var errs []error
	for _, g := range s.segments {
		errs = append(errs, g.file.Close())
	}
	s.segments = nil
	if s.cursorF != nil {
		errs = append(errs, s.cursorF.Close())
		s.cursorF = nil
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}
