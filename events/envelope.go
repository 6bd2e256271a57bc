package events

import (
	"strconv"

	"github.com/nats-io/nats.go"
)

// An Envelope is a message with the memory that it is made in: whoever makes many
// fills one again when its message is published. The zero Envelope is ready.
type Envelope struct {
	Msg nats.Msg

	names, values []string // of its header, in their order
}

// recordOverhead is about what a record has beyond its user and meta.
const recordOverhead = 512

// recordHeaders is how many headers a record may have.
const recordHeaders = 14

// Fill makes the envelope's message the one that answers the event, as
// [Record.Msg] does, but for its subject. What the envelope held is overwritten.
func (r *Record) Fill(env *Envelope, f Format) error {
	m := &env.Msg
	if m.Data == nil {
		m.Data = make([]byte, 0, recordOverhead+r.User.Raw.size()+r.Event.Meta.size())
	}
	data, err := r.Append(m.Data[:0], f)
	if err != nil {
		return err
	}
	m.Data = data
	if m.Header == nil {
		m.Header = make(nats.Header, recordHeaders)
		env.names, env.values = make([]string, 0, recordHeaders), make([]string, 0, recordHeaders)
	}
	w := headerWriter{h: m.Header, names: env.names, values: env.values[:0], again: len(m.Header) == len(env.names)}
	w.set(HeaderContentType, f.ContentType())
	w.set(HeaderSchema, SchemaV1)
	w.set(HeaderStatus, string(r.Status))
	w.set(HeaderEventID, r.Event.ID)
	w.set(HeaderAppID, r.Event.AppID)
	w.set(HeaderOpenID, r.Event.OpenID)
	var room [160]byte
	w.identify(r.Event.Source, r.Replay, room[:0])
	w.set(HeaderReplay, r.Replay)
	if r.Hop != 0 {
		w.set(HeaderHop, strconv.Itoa(r.Hop))
	}
	env.names, env.values = w.end(), w.values
	return nil
}
