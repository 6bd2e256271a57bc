package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 130, 1 << 20: 130, 8 << 20: 130, 11 << 20: 100, 18 << 20: 50, 26 << 20: 50, 1 << 30: 50} {
		if got := gcPercentFor(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}

// tended is a process that holds little, then much, then little again, and says
// what percentage the runtime has by then.
func tended() {
	collects := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	settle := func(want uint64) {
		for deadline := time.Now().Add(everything); collects() != want && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			runtime.GC() // what is dropped then is tended to soon after
		}
		fmt.Println(collects())
	}
	tendGarbage(0)
	settle(130)
	much := make([]byte, 64<<20)
	settle(50)
	runtime.KeepAlive(much)
	settle(130)
}

func TestGarbageIsTended(t *testing.T) {
	t.Parallel()
	c, out := child(t, "tended", "130")
	for _, want := range []string{"50", "130"} {
		if !out.Scan() || out.Text() != want {
			t.Errorf("the runtime collects at %s %%, want %s", out.Text(), want)
		}
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
