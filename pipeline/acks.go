package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// acks brings the server's acks to whoever waits for them. Messages are
// published by the hundred and waited for together; the client's own futures, one
// for each message with a timer and two channels, would cost more than the
// publishing itself.
type acks struct {
	prefix string // of reply subjects: behind it are a round and a message of it

	mu     sync.Mutex
	rounds map[uint64]*round
	last   uint64
}

// A round is the messages that are published together. It belongs to acks until
// done is closed or it is ended.
type round struct {
	reply string
	id    uint64
	errs  []error // of each message; errAwaited until its ack is here
	open  int     // how many are awaited
	done  chan struct{}
}

// errAwaited stands for an ack that is not here yet.
var errAwaited = fmt.Errorf("no ack from the server within %s", publishTimeout)

// newAcks listens for acks.
func newAcks(nc *nats.Conn) (*acks, error) {
	a := &acks{prefix: nc.NewInbox() + ".", rounds: make(map[uint64]*round)}
	_, err := nc.Subscribe(a.prefix+"*.*", func(m *nats.Msg) { a.take(m) })
	return a, err
}

// begin makes a round of n messages.
func (a *acks) begin(n int) *round {
	r := &round{errs: make([]error, n), open: n, done: make(chan struct{})}
	for i := range r.errs {
		r.errs[i] = errAwaited
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	r.id = a.last
	r.reply = a.prefix + strconv.FormatUint(r.id, 36) + "."
	a.rounds[r.id] = r
	return r
}

// subject is where the ack of the i-th message goes.
func (r *round) subject(i int) string { return r.reply + strconv.Itoa(i) }

// take accepts an ack. One of a round that has ended says nothing any more.
func (a *acks) take(m *nats.Msg) {
	token, index, _ := strings.Cut(m.Subject[len(a.prefix):], ".")
	id, err := strconv.ParseUint(token, 36, 64)
	if err != nil {
		return
	}
	i, err := strconv.Atoi(index)
	if err != nil {
		return
	}
	a.settle(id, i, ackError(m))
}

// settle notes what became of a message.
func (a *acks) settle(id uint64, i int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.rounds[id]
	if r == nil || i < 0 || i >= len(r.errs) || r.errs[i] != errAwaited {
		return
	}
	r.errs[i] = err
	if r.open--; r.open == 0 {
		delete(a.rounds, id)
		close(r.done)
	}
}

// end ends a round: of what is still awaited nothing is known but err.
func (a *acks) end(r *round, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.rounds, r.id)
	for i := range r.errs {
		if r.errs[i] == errAwaited {
			r.errs[i] = err
		}
	}
}

// ackError is what an ack says: nil if the message is stored, by this publish or
// by an earlier one of the same id.
func ackError(m *nats.Msg) error {
	const stored = `{"stream":"`
	if bytes.HasPrefix(m.Data, []byte(stored)) && !bytes.Contains(m.Data, []byte(`"error"`)) {
		return nil // every ack of a stored message begins so
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return jetstream.ErrNoStreamResponse
	}
	var ack struct {
		Stream string              `json:"stream"`
		Error  *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return fmt.Errorf("%w: %w", jetstream.ErrInvalidJSAck, err)
	case ack.Error != nil:
		return ack.Error
	case ack.Stream == "":
		return jetstream.ErrInvalidJSAck
	}
	return nil
}
