// Package plan holds what JetStream is set to against what a lane needs: ack
// waits, limits, windows, policies. It says what would lose events, what would
// answer them twice or not at all, and how to mend each, with the number that
// is wrong and the command of the nats CLI that puts it right.
//
// It is pure: it reads configurations as a server gives them, asks nobody and
// changes nothing. The lane uses it when it binds, the service at its start,
// and "wxenrich doctor" for its table. Whether a stream captures the subjects
// that it should is not its business: see EnsureStream in package events.
package plan
