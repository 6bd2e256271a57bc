// Package audit holds the streams to the law of conservation:
//
//	in = records + dead letters + pending + expired + deleted + erased
//
// Each event that a lane listens to has exactly one final answer, a record or
// a dead letter, or is not acknowledged yet. Run reads that from the streams
// themselves, not from anybody's counters, and names every event for which it
// is not so: missing (acknowledged, and nothing answers it) or doubled
// (answered more than once). It is for operators and the oracle of tests.
//
// # How
//
// Where the durables stand and where the input ends is noted first; then
// everything is read once, headers only: the inputs, the dead letters, the
// records. In this order, whatever has been acknowledged has its answer among
// what is read, and a dead letter that a redrive removes in the meantime has
// left its answer behind it. An answer names its source (stream, sequence,
// stored time) and its generation (live, or one replay) in its Nats-Msg-Id.
//
// A sequence of the input takes 16 bytes of memory, and 5 more for each replay
// that has answered it: pages of 1024 are made as they are touched. Finding the
// producer's repeats takes 16 bytes for each id.
//
// # What cannot be said
//
// Streams forget. An event that is older than the oldest answer still held
// may have had one: it is counted as unverifiable, never as missing. Where a
// durable began by request (deliver new, or from a time), earlier events were
// not asked for. A stream of answers that was made anew has forgotten like one
// whose messages expired; one that was restored from a backup, which shows in its
// holding what is older than itself, has not: what was answered since the backup
// is missing. Above the durable's ack floor an unanswered event counts as
// pending, although a few there may be acknowledged out of order: an event
// that is acknowledged without an answer is named as soon as the floor is past
// it.
//
// A work queue deletes an event when it is acknowledged, and only its durable may
// read it; interest is not much different. There the answers alone are counted
// and held against each other, and missing is what cannot be known.
//
// Of whoever was erased there is nothing left but receipts, which say where
// messages were: their events are counted by these. What was not answered and
// is still in the input is looked at, and asked for among those who are erased.
//
// # Who repeats
//
// An answer too many is ours: a redrive's if a hop led there, else the
// service's own. A producer who publishes one event twice, and a replay, also
// lead to several answers for one thing; that is what they asked for, and no
// breach.
package audit
