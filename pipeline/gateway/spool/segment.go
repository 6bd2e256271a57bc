package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const ending = ".spool"

// segment is a file of records. All up to size can be read; what lies behind it
// was never promised to anybody, or is damaged.
type segment struct {
	number  uint64
	path    string
	file    *os.File
	size    int64 // of the records that are whole
	records int   // in it, done ones included
	damaged int64 // bytes behind that which were promised to somebody, as far as one can tell
}

func createSegment(dir string, number uint64) (*segment, error) {
	s := &segment{number: number, path: filepath.Join(dir, fmt.Sprintf("%016d%s", number, ending))}
	var err error
	if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil { // people's data
		return nil, err
	}
	if err := syncFolder(dir); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

// openSegments finds the segments of a folder, the oldest first.
func openSegments(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*segment
	for _, e := range entries {
		name, ours := strings.CutSuffix(e.Name(), ending)
		number, err := strconv.ParseUint(name, 10, 64)
		if !ours || err != nil {
			continue
		}
		s := &segment{number: number, path: filepath.Join(dir, e.Name())}
		if s.file, err = os.Open(s.path); err != nil {
			return all, err
		}
		all = append(all, s)
		if err := s.scan(); err != nil {
			return all, err
		}
	}
	slices.SortFunc(all, func(a, b *segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return all, nil
}

// scan finds the records that are whole. A record that the end of the file cuts
// off is one that was being written when the process died, and was promised to
// nobody; anything else that cannot be read is damage.
func (s *segment) scan() error {
	for {
		_, next, err := s.read(s.size)
		switch {
		case errors.Is(err, errCutOff):
			return nil
		case errors.Is(err, errNotWhole):
			info, err := s.file.Stat()
			if err == nil {
				s.damaged = info.Size() - s.size
			}
			return err
		case err != nil:
			return err
		}
		s.size = next
		s.records++
	}
}

// recordsBefore counts the records that end at or before an offset; false when
// none begins there.
func (s *segment) recordsBefore(offset int64) (n int, begins bool) {
	for at := int64(0); at < offset; n++ {
		_, next, err := s.read(at)
		if err != nil {
			return 0, false
		}
		if at = next; at > offset {
			return 0, false
		}
	}
	return n, offset >= 0 && offset <= s.size
}

var (
	errNotWhole = errors.New("spool: a record is not whole")
	errCutOff   = fmt.Errorf("%w: the file ends in it", errNotWhole)
)

// read returns the record at an offset and where the next begins.
func (s *segment) read(offset int64) (Record, int64, error) {
	var raw [headSize]byte
	if _, err := s.file.ReadAt(raw[:], offset); err != nil {
		return Record{}, 0, whole(err)
	}
	h := parseHead(raw)
	if h.length > maxRecord {
		return Record{}, 0, errNotWhole
	}
	data := make([]byte, h.length)
	if _, err := s.file.ReadAt(data, offset+headSize); err != nil {
		return Record{}, 0, whole(err)
	}
	if !h.matches(data) {
		return Record{}, 0, errNotWhole
	}
	return Record{h.at, data}, offset + headSize + int64(h.length), nil
}

func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return errCutOff
	}
	return err
}

// remove deletes a segment whose records are done. What could not be read stays.
func (s *segment) remove() error {
	info, err := s.file.Stat()
	if err == nil && info.Size() > s.size {
		err = os.Rename(s.path, s.path+".damaged")
	} else if err == nil {
		err = os.Remove(s.path)
	}
	return errors.Join(err, s.file.Close())
}

// syncFolder makes a new name in a folder survive a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
