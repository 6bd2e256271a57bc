package main

import "runtime/debug"

// gcPercent is how much memory the service lets be used beyond what it holds
// before it collects garbage, in percent of that; as long as GOGC does not say.
// The runtime's 100 takes a third more memory in a backlog; 50 takes a tenth more
// processor time. What bounds a container is memory.
const gcPercent = 50

// saveMemory sets it for the process.
func (a *app) saveMemory() {
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
