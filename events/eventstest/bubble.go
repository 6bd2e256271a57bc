package eventstest

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/ats"
)

// Bubble calls f inside a [testing/synctest] bubble that has a server of its
// own, and returns when the server and all connections have ended. In the
// bubble the clock is fake: it begins on 1 January 2000, stands still while
// anything has work to do, and jumps to the next timer when nothing has. So
// ack waits, redeliveries and duplicate windows cost no time, and take exactly
// as long as they say.
//
//	func TestRedelivery(t *testing.T) {
//		eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
//			js := s.JetStream()
//			…
//			time.Sleep(24 * time.Hour)
//		})
//	}
//
// The server listens nowhere; [Server.Connect] and [Server.JetStream] connect
// in memory, as does nats.Connect with the option nats.InProcessServer(s). The
// t of f is the bubble's: what it cleans up, it cleans up inside. Whatever f
// starts has to have ended by then, or the test fails.
//
// One thing goes by the machine's clock even there: the removal of messages
// that are older than a stream's MaxAge (nats-server's package ats). In a
// bubble every message looks many years old to it, and it strikes when a
// stream's configuration is updated: set MaxAge to zero before that.
//
// A test with a bubble must not be parallel, and Bubble panics in one that is.
// The Go client keeps idle timers in a pool of the whole process, and the
// runtime kills a process that uses one bubble's timer elsewhere. Tests that
// are not parallel have the process to themselves.
func Bubble(t *testing.T, f func(t *testing.T, s *Server), opts ...Option) {
	t.Helper()
	t.Setenv("EVENTSTEST_BUBBLE", "1") // package testing sees to it that this test, and so the bubble, is alone
	opts = append([]Option{StoreDir(t.TempDir())}, opts...)
	opts = append(opts, func(o *server.Options) { o.DontListen = true })

	// The server's clock for cache accesses is one for the process. Whoever
	// needs it first starts it, and that must not be in the bubble.
	ats.Register()
	defer ats.Unregister()

	emptyPools()
	defer emptyPools()
	synctest.Test(t, func(t *testing.T) { f(t, start(t, opts)) })
}

// emptyPools drops what every sync.Pool keeps: the first collection sets it
// aside, the second drops it.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}
