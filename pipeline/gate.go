package pipeline

import "context"

// A gate lets a few through at a time. A thousand lanes that begin together, or
// after a reconnect, would all ask the server at once what they need to know of
// their streams: each for half a dozen things, all of it past its time-out before
// the last is answered, and asked again.
type gate chan struct{}

// abreast is how many lanes of a process look for their durables at once.
const abreast = 16

// pass waits for a place; false if ctx ended first. Whoever has passed leaves.
func (g gate) pass(ctx context.Context) bool {
	select {
	case g <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g gate) leave() { <-g }
