package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The service lets garbage be, beside what it holds, before it collects it: so
// many percent of that, and as much as a heap of gcHeap has room for; as long as
// GOGC does not say. The runtime's 100 % takes a fifth more memory in a backlog,
// where 50 take some 4 % more processor time, and what bounds a container is memory.
// A process that holds little would collect many times a second by that, and save
// nothing that counts. The percentage is bounded because it stands for a moment too
// when little has become much.
const (
	gcPercent     = 50
	mostGCPercent = 130
	gcHeap        = 22 << 20 // bytes
)

// saveMemory sees to that for as long as the process lives.
func (a *app) saveMemory() {
	if a.getenv("GOGC") == "" {
		tendGarbage(0)
	}
}

// tendGarbage sets what the next collection waits for, which was so far that
// percentage, and does so again after each one: nobody holds the object then.
func tendGarbage(percent int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	// To set it stops the world for a moment: not for next to no difference.
	if next := gcPercentFor(live[0].Value.Uint64()); next != percent && (next == gcPercent || max(next-percent, percent-next) > percent/8) {
		debug.SetGCPercent(next)
		percent = next
	}
	runtime.AddCleanup(new([64]byte), tendGarbage, percent)
}

// gcPercentFor is the percentage for what was live at the latest collection.
func gcPercentFor(live uint64) int {
	room := gcHeap - int64(live)
	return int(min(max(gcPercent, 100*room/max(1, int64(live))), mostGCPercent))
}
