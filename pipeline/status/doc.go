// Package status sees from outside how accounts fare: from the streams, the
// durables and the state bucket, never from a process. It serves any set of
// replicas, also none that runs.
//
// It reads only, and what is missing (a bucket, a durable, a stream) is part of
// the answer, not an error. An account costs some four small requests.
package status
