// Package spool is a queue on disk: bounded, first in first out, and what was
// taken is there after a power cut.
//
// # Files
//
// A folder that one process has to itself, by a lock, holds segments of some
// megabytes, named by ascending numbers, and the file "cursor" with the place of
// the oldest record. A record is its length, a checksum, a time and the data. A
// segment is removed when its last record is done, so disk is given back while
// the queue is worked off.
//
// # Guarantees
//
// [Spool.Append] returns when the record is synced to disk; records that come
// at the same time share one sync. [Spool.Done] is not synced: after a power
// cut records may come again that were done shortly before. What cannot be read
// is not deleted: its file gets the ending ".damaged".
//
// # Concurrency
//
// Append may be called by any number of goroutines, [Spool.Next] and Done by one.
package spool
