package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
)

// request is one Append that waits for the writer.
type request struct {
	record Record
	size   int64
	result chan error
}

// Append puts a record at the end, and returns when it is on disk. The error is
// ErrFull or ErrClosed, or says what is wrong with the disk; the record is not
// in the queue then.
func (s *Spool) Append(r Record) error {
	if len(r.Data) > maxRecord {
		return fmt.Errorf("spool: a record of %d bytes, want at most %d", len(r.Data), maxRecord)
	}
	q := &request{r, headSize + int64(len(r.Data)), make(chan error, 1)}
	select {
	case s.in <- q:
		return <-q.result
	case <-s.quit:
		return ErrClosed
	}
}

// maxTogether is how many records share a sync at most.
const maxTogether = 512

// write is the writer's goroutine: it takes all that waits, and syncs once.
func (s *Spool) write() {
	defer close(s.written)
	for {
		var together []*request
		select {
		case q := <-s.in:
			together = append(together, q)
		case <-s.quit:
			return
		}
		for waiting := true; waiting && len(together) < maxTogether; {
			select {
			case q := <-s.in:
				together = append(together, q)
			default:
				waiting = false
			}
		}
		s.store(together)
	}
}

// store writes records that fit, and answers all.
func (s *Spool) store(together []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fits []*request
	var b []byte
	for _, q := range together {
		if s.bytes+int64(len(b))+q.size > s.opts.MaxBytes {
			s.full = true
			q.result <- ErrFull
			continue
		}
		b = appendRecord(b, q.record)
		fits = append(fits, q)
	}
	if len(fits) == 0 {
		return
	}
	err := s.sync(b, len(fits))
	if err != nil {
		err = fmt.Errorf("spool: %w", err)
	}
	for _, q := range fits {
		q.result <- err
	}
	s.wake()
}

// sync writes b to the end and to the disk. After a failure it never goes on in
// the same file: what a failed sync has left on the disk nobody knows. It needs
// the lock.
func (s *Spool) sync(b []byte, records int) error {
	if !s.writing || s.segments[len(s.segments)-1].size >= s.opts.SegmentBytes {
		g, err := createSegment(s.dir, s.number+1)
		if err != nil {
			return err
		}
		s.number++
		s.segments, s.writing = append(s.segments, g), true
	}
	g := s.segments[len(s.segments)-1]
	_, err := g.file.WriteAt(b, g.size)
	if err == nil {
		err = g.file.Sync()
	}
	if err != nil {
		s.writing = false
		_ = g.file.Truncate(g.size) // else they are found at the next start, and stored although WeChat was not told so
		return err
	}
	g.size += int64(len(b))
	g.records += records
	s.length += records
	s.bytes += int64(len(b))
	return nil
}

// The cursor: number of the first segment, offset of the oldest record in it,
// checksum.
const cursorSize = 8 + 8 + 4

func writeCursor(f *os.File, number uint64, offset int64) error {
	b := binary.BigEndian.AppendUint64(nil, number)
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := f.WriteAt(b, 0)
	return err
}

func readCursor(f *os.File) (number uint64, offset int64, ok bool) {
	b := make([]byte, cursorSize)
	if _, err := f.ReadAt(b, 0); err != nil || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return 0, 0, false // there is none yet, or a power cut came between
	}
	return binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:])), true
}
