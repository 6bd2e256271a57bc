//go:build linux

package faults

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestDurableGone deletes the durable when the output has forgotten most of
// what was answered: beside the running service, and while there is none.
func TestDurableGone(t *testing.T) {
	w := newWorld(t, 1, short)
	run := w.replica("")
	load := w.produce(size(10_000, 200_000), true)
	w.answered(size[uint64](5_000, 100_000))
	w.forgetDurable()
	w.drain(load)
	w.forget()
	run.stop()
	w.forgetDurable()
	run = w.replica("")
	more := w.produce(2_000, true)
	w.drain(more)
	run.stop()
	w.law(load.n + more.n)
	w.once()
}

// TestDurableRestored brings back the durable's state of long ago, as from a
// backup, and keeps the streams.
func TestDurableRestored(t *testing.T) {
	if *disk == "memory" {
		t.Skip("it has no state on disk")
	}
	w := newWorld(t, 1, short)
	run := w.replica("")
	load := w.produce(size(4_000, 100_000), true)
	w.answered(size[uint64](2_000, 50_000))
	w.swap("WX_EVENTS/obs")
	w.drain(load)
	w.forget()
	w.swap("WX_EVENTS/obs")
	more := w.produce(2_000, true)
	w.drain(more)
	run.stop()
	w.law(load.n + more.n)
	w.once()
}

// TestInputRestored brings back the input of long ago with its durable. The
// events since are gone, and others take their sequences; their answers stay.
func TestInputRestored(t *testing.T) {
	w := newWorld(t, 1, short)
	run := w.replica("")
	kept := w.produce(size(4_000, 100_000), true)
	w.drain(kept)
	w.swap("WX_EVENTS")
	lost := w.produce(size(3_000, 50_000), true)
	w.drain(lost)
	w.forget()
	w.swap("WX_EVENTS")
	more := w.produce(size(5_000, 100_000), true)
	w.drain(more)
	run.stop()
	w.law(kept.n + more.n)
	w.once()
}

// TestInputGone deletes the input stream beside the running service, and makes
// it anew. Readiness says so meanwhile.
func TestInputGone(t *testing.T) {
	w := newWorld(t, 1, nil)
	ready := w.listen()
	run := w.replica("")
	load := w.produce(4_000, true)
	w.drain(load)
	cfg := w.info("WX_EVENTS").Config
	if err := w.js.DeleteStream(t.Context(), "WX_EVENTS"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the service is not ready", func() bool { return ready() != "" })
	t.Logf("not ready: %s", ready())
	if _, err := w.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.eventually("the service is ready again", func() bool { return ready() == "" })
	more := w.produce(4_000, true)
	w.drain(more)
	run.stop()
	w.law(more.n)
	w.once()
}

// answered waits until there are so many records.
func (w *world) answered(n uint64) {
	w.t.Helper()
	w.eventually("there are records enough", func() bool {
		info := w.info("WX_PROFILES")
		return info != nil && info.State.Msgs >= n
	})
}

func (w *world) forgetDurable() {
	w.t.Helper()
	if err := w.js.DeleteConsumer(w.t.Context(), "WX_EVENTS", durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		w.t.Fatal(err)
	}
}

// swap stops the server and copies a part of its folder away; when that was
// done before, it brings the copy back.
func (w *world) swap(part string) {
	w.t.Helper()
	s := w.servers[0]
	s.crash()
	here := filepath.Join(s.store(), "jetstream", "$G", "streams", part)
	backup := filepath.Join(s.dir, "backup")
	from, to := here, backup
	if _, err := os.Stat(backup); err == nil {
		from, to = backup, here
		if err := os.RemoveAll(here); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		w.t.Fatal(err)
	}
	s.begin()
}
