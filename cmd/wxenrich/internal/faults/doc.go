// Package faults runs the service as it runs in production, in processes of
// its own beside a nats-server, and does to them what production does: kills
// them, at random and at named points, freezes them, cuts their network, fills
// their streams, restores their folders. Then it holds the streams to the law
// of conservation (package audit): every event has one answer, and it is its
// own. It holds bulk work to what is promised of it in the same way: replays,
// backfills and redrives whose replica is killed, and what they cost.
//
//	go test ./cmd/wxenrich/internal/faults -faults -v                    # each scenario small, some minutes
//	go test ./cmd/wxenrich/internal/faults -long -timeout 0 -v           # hours: a million events
//	go test ./cmd/wxenrich/internal/faults -faults -run Kills -seed 7    # the faults of seed 7
//
// The seed decides which faults strike and when. What they strike is decided
// by the machine as well, so a seed makes a failure likely again, not certain.
//
// # How
//
// Everything is started on free ports and reached through a link, a TCP proxy
// of the test's, whose address stays when a server comes back on another port
// and whose traffic can stop. The service is built with the tag faults, which
// puts points into package pipeline where FAULT_AT=<point>:<n> ends the
// process. WeChat is the simulator, in the test's process.
//
// The scenarios run one after the other: each takes a machine for itself.
// Linux only, where a child ends with its parent whatever happens.
package faults
