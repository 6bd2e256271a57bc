//go:build linux

package faults

import (
	"testing"
	"time"
)

// TestKills ends the service and the server at random moments, without a word,
// while WeChat's calls fail.
func TestKills(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.troubleWeChat()
	load := w.produce(size(20_000, 1_000_000), false)
	run := w.replica("")
	services, servers := 0, 0
	w.until(load.done,
		act{3 * time.Second, func() {
			services++
			run.kill()
			run = w.replica("")
		}},
		act{size(5*time.Second, 20*time.Second), func() {
			servers++
			w.servers[0].crash()
			w.servers[0].begin()
		}},
		act{20 * time.Second, w.account.KillTokens},
	)
	if services == 0 || servers == 0 {
		t.Errorf("the service was killed %d times, the server %d times: nothing is tested", services, servers)
	}
	w.drain(load)
	run.stop()
	t.Logf("service killed %d times, server %d times", services, servers)
	most, p99 := slowest(w.holds(load))
	t.Logf("slowest answer after %s, 99%% after %s", most.Round(time.Millisecond), p99.Round(time.Millisecond))
}
