package spool

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Record is one thing in the queue.
type Record struct {
	At   time.Time // as Append was told
	Data []byte
}

// A record on disk: length of the data, checksum of all behind it, time in unix
// nanoseconds, data.
const headSize = 4 + 4 + 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(b []byte, r Record) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Data)))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixNano()))
	b = append(b, r.Data...)
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], castagnoli))
	return b
}

// head is the first headSize bytes of a record.
type head struct {
	length, sum uint32
	at          time.Time
	raw         [8]byte // the time, as it is summed
}

func parseHead(b [headSize]byte) head {
	return head{
		length: binary.BigEndian.Uint32(b[:]), sum: binary.BigEndian.Uint32(b[4:]),
		at: time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))), raw: [8]byte(b[8:]),
	}
}

func (h head) matches(data []byte) bool {
	return crc32.Update(crc32.Checksum(h.raw[:], castagnoli), castagnoli, data) == h.sum
}
