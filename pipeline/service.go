package pipeline

import (
	"context"
	"errors"
	"sync"
)

// Run runs lanes until ctx ends, or until all of them have ended by
// themselves. A lane that refuses to start does not keep the others from
// running; the refusals are returned, joined, when no lane is left.
func Run(ctx context.Context, lanes []*Lane) error {
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, l := range lanes {
		wg.Go(func() { errs[i] = l.Run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
