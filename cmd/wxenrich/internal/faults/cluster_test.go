//go:build linux

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestLeaders ends the leader of a stream again and again, in a cluster of
// three where everything has three replicas.
func TestLeaders(t *testing.T) {
	w := newWorld(t, 3, map[string]string{
		"INPUT_REPLICAS": "3", "OUTPUT_REPLICAS": "3", "DEAD_REPLICAS": "3", "STATE_REPLICAS": "3",
	})
	run := w.replica("")
	w.exists("WX_EVENTS", "WX_PROFILES", "WX_DEAD")
	load := w.produce(size(30_000, 1_000_000), false)
	kills := 0
	w.until(load.done, act{size(7*time.Second, 10*time.Second), func() {
		leader := w.leader([]string{"WX_EVENTS", "WX_PROFILES"}[w.rand.IntN(2)])
		if leader == nil {
			return
		}
		kills++
		leader.crash()
		time.Sleep(2 * time.Second)
		leader.begin()
	}})
	if kills == 0 {
		t.Error("no leader was killed: nothing is tested")
	}
	w.drain(load)
	run.stop()
	all := w.holds(load)
	most, p99 := slowest(all)
	t.Logf("%d leaders killed; longest gap in the output %s, slowest answer after %s, 99%% after %s", kills,
		longestGap(all).Round(time.Millisecond), most.Round(time.Millisecond), p99.Round(time.Millisecond))
}

// exists waits until there are streams of these names.
func (w *world) exists(names ...string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for _, name := range names {
		for w.info(name) == nil {
			if time.Now().After(deadline) {
				w.t.Fatalf("no stream %s", name)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// info is what is known of a stream; nil while nobody knows.
func (w *world) info(stream string) *jetstream.StreamInfo {
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		return nil
	}
	return s.CachedInfo()
}

// leader is the server that leads a stream; nil while there is none.
func (w *world) leader(stream string) *server {
	info := w.info(stream)
	if info == nil || info.Cluster == nil {
		return nil
	}
	i := slices.IndexFunc(w.servers, func(s *server) bool { return s.name == info.Cluster.Leader })
	if i < 0 {
		return nil
	}
	return w.servers[i]
}
