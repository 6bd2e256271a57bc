package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A pull asks a durable for messages. All requests share one subscription: what
// the client's Fetch makes for each (a subscription, a goroutine, a timer for each
// message, one that stays for two heartbeats) costs more than the messages do
// (nats.go 1.55). It belongs to the goroutine of a tap.
type pull struct {
	conn    *nats.Conn
	subject string               // where requests go
	body    []byte               // of a request
	size    int                  // messages that one request asks for
	beat    func() time.Duration // how often the server is to say that it has one
	beating time.Duration        // the same of the latest request

	sub  *nats.Subscription
	msgs chan *nats.Msg // what comes: messages, and what becomes of requests

	asked []request // the oldest first
	open  int       // messages that are still to come
	heard time.Time
}

// request is when messages were asked for, and how many are still to come.
type request struct {
	at   time.Time
	left int
}

// errSilent ends a pull whose server does not even say that it has the request.
var errSilent = errors.New("no heartbeat from the server")

// newPull begins to listen; nothing is asked for yet.
func newPull(js jetstream.JetStream, durable *jetstream.ConsumerInfo, size int, beat func() time.Duration) (p *pull, err error) {
	const statuses = 64 // as much room for what becomes of requests
	p = &pull{
		conn: js.Conn(), size: size, beat: beat, heard: time.Now(),
		subject: apiPrefix(js) + "CONSUMER.MSG.NEXT." + durable.Stream + "." + durable.Name,
		msgs:    make(chan *nats.Msg, 2*size+statuses),
	}
	if most := durable.Config.MaxRequestExpires; most > 0 {
		p.beat = func() time.Duration { return min(beat(), max(pullHeartbeat, most*2/5)) }
	}
	p.sub, err = p.conn.ChanSubscribe(p.conn.NewInbox(), p.msgs)
	return p, err
}

// request is what the server is asked for.
func (p *pull) request() []byte {
	if beats := p.beat(); beats != p.beating {
		p.beating = beats
		p.body = fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, p.size, expiry(beats), beats)
	}
	return p.body
}

// expiry is how long a request stays with the server that says so often that it
// has it: at least two times that, or the server refuses it.
func expiry(beat time.Duration) time.Duration { return beat * 5 / 2 }

// apiPrefix is what the subjects of JetStream's API begin with.
func apiPrefix(js jetstream.JetStream) string {
	o := js.Options()
	switch {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	return jetstream.DefaultAPIPrefix
}

// refill asks for more when half of what was asked for has come, so that the
// server need not wait.
func (p *pull) refill() error {
	if p.open > p.size/2 {
		return nil
	}
	p.asked = append(p.asked, request{time.Now(), p.size})
	p.open += p.size
	return p.conn.PublishRequest(p.subject, p.sub.Subject, p.request())
}

// came says since when a message that came may have been on its way to us. The
// server takes turns between requests, but what an earlier one cannot have asked
// for was sent after the later one.
func (p *pull) came(now time.Time) (since time.Time) {
	p.heard = now
	if p.open == 0 {
		return p.heard // more than was asked for: a later request will have less
	}
	p.open--
	first := &p.asked[0]
	since = first.at
	if first.left--; first.left == 0 {
		p.asked = p.asked[1:]
	}
	return since
}

// status heeds a message that is none of the stream's: a heartbeat, or the end of
// a request. It returns an error if nothing more will come.
func (p *pull) status(m *nats.Msg) error {
	p.heard = time.Now()
	code, what := m.Header.Get("Status"), m.Header.Get("Description")
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	switch {
	case code == "100":
		return nil
	case code == "503":
		return nats.ErrNoResponders
	case code != "408" || err != nil: // of what else may end a request nothing comes of itself
		return fmt.Errorf("the server ended the pull: %s %s", code, what)
	}
	for i := len(p.asked) - 1; i >= 0 && left > 0; i-- { // whichever it was: the older are the safe ones to keep
		n := min(left, p.asked[i].left)
		p.asked[i].left -= n
		p.open -= n
		if left -= n; p.asked[i].left == 0 {
			p.asked = append(p.asked[:i], p.asked[i+1:]...)
		}
	}
	return nil
}

// silent returns an error if the server has forgotten what it was asked: if it
// has said nothing for so long.
func (p *pull) silent(now time.Time, limit time.Duration) error {
	if p.open > 0 && len(p.msgs) == 0 && now.Sub(p.heard) >= limit {
		return errSilent
	}
	return nil
}

// message is what a lane needs of a message of a durable.
type message interface {
	Metadata() (*nats.MsgMetadata, error)
	Subject() string
	Headers() nats.Header
	Data() []byte
	Ack() error
	Nak() error
	InProgress() error
}

// pulled is a message that a pull brought.
type pulled struct {
	msg  *nats.Msg
	conn *nats.Conn
}

// What a message is answered with (ADR-8 of nats-architecture-and-design).
var (
	wordAck      = []byte("+ACK")
	wordNak      = []byte("-NAK")
	wordProgress = []byte("+WPI")
)

func (m *pulled) Subject() string      { return m.msg.Subject }
func (m *pulled) Headers() nats.Header { return m.msg.Header }
func (m *pulled) Data() []byte         { return m.msg.Data }
func (m *pulled) Ack() error           { return m.conn.Publish(m.msg.Reply, wordAck) }
func (m *pulled) Nak() error           { return m.conn.Publish(m.msg.Reply, wordNak) }
func (m *pulled) InProgress() error    { return m.conn.Publish(m.msg.Reply, wordProgress) }

func (m *pulled) Metadata() (*nats.MsgMetadata, error) { return m.msg.Metadata() }
