package pipeline

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Bulk calls that may begin in one moment do: none is late because another asks at
// the same time.
func TestBulkCallsBeginTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		th, moment := newThrottle(0, n), time.Now()
		var asking atomic.Int64
		var calls sync.WaitGroup
		th.mu.Lock() // whoever asks first is not done when the others ask
		for range n {
			calls.Go(func() {
				asking.Add(1)
				if began, ok := th.waitBelow(context.Background()); !ok || !began.Equal(moment) {
					t.Errorf("a call began %v late", began.Sub(moment))
				}
			})
		}
		for asking.Load() < n {
			runtime.Gosched()
		}
		th.mu.Unlock()
		calls.Wait()
	})
}
