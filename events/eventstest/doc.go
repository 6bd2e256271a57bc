// Package eventstest runs a real NATS server with JetStream inside a test, so
// that what is tested against is what will run: no container, no port to
// choose, nothing to clean up.
//
//	func TestMyConsumer(t *testing.T) {
//		s := eventstest.NewServer(t)
//		js := s.JetStream()
//		…
//		s.Restart() // what was stored is still there
//	}
//
// A server is ready in a few milliseconds. It listens on a random port of
// 127.0.0.1, keeps its store in the test's temporary folder within small
// limits, and is gone with its store when the test ends. Servers share nothing,
// so tests that use them may be parallel.
//
// # Fake time
//
// [Bubble] runs the server inside a testing/synctest bubble, where a day takes
// less than a second. A server of [NewServer] does not belong there: its
// connections are real, and goroutines that wait for the network stop the
// bubble's clock.
package eventstest
