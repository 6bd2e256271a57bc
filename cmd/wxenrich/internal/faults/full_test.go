//go:build linux

package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestOutputFull lets the output stream come to its limit, and makes room only
// when the service has said so. Nobody is looked up again for that.
func TestOutputFull(t *testing.T) {
	w := newWorld(t, 1, map[string]string{"OUTPUT_MAX_BYTES": "1MiB"})
	ready := w.listen()
	run := w.replica("")
	w.eventually("the service is ready", func() bool { return ready() == "" })
	load := w.produce(10_000, true)
	w.eventually("it says that the output is full", func() bool { return strings.Contains(ready(), "maximum bytes exceeded") })
	<-load.done
	time.Sleep(size(2*time.Second, 10*time.Minute))
	if left := w.left(load); left == "" {
		t.Error("all is acknowledged although not all has room")
	}
	cfg := w.info("WX_PROFILES").Config
	cfg.MaxBytes = -1
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.drain(load)
	w.eventually("the service is ready again", func() bool { return ready() == "" })
	run.stop()
	w.holds(load)
	w.once()
}

// TestDiskFull lets the server's disk run full under input and output alike.
func TestDiskFull(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.servers[0].crash()
	w.servers[0].capacity("8MB")
	w.servers[0].begin()
	ready := w.listen()
	run := w.replica("")
	w.eventually("the service is ready", func() bool { return ready() == "" })
	load := w.produce(20_000, false)
	w.eventually("it says that there is no room", func() bool { return strings.Contains(ready(), "insufficient resources") })
	w.servers[0].crash()
	w.servers[0].capacity("10GB")
	w.servers[0].begin()
	w.drain(load)
	w.eventually("the service is ready again", func() bool { return ready() == "" })
	run.stop()
	w.holds(load)
}

// listen has replicas listen for probes. What it returns says why the latest is
// not ready; empty if it is.
func (w *world) listen() (ready func() string) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	w.settings["HTTP_LISTEN"] = l.Addr().String()
	return func() string {
		resp, err := http.Get("http://" + l.Addr().String() + "/readyz")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		hides(w.t, "/readyz", body)
		if err == nil && resp.StatusCode == http.StatusOK {
			return ""
		}
		return fmt.Sprint(string(body), err)
	}
}

// eventually waits for what has to come.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}
