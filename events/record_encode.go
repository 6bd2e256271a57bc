package events

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Append appends the record to b. It fails only on a Value that is none.
func (r *Record) Append(b []byte, f Format) ([]byte, error) {
	w := mapWriter{codec: codecOf(f), b: b}
	top := w.open()
	w.text("schema", SchemaV1)
	w.text("id", r.Event.ID)
	w.text("appid", r.Event.AppID)
	w.text("openid", r.Event.OpenID)
	w.text("unionid", r.UnionID)
	w.text("status", string(r.Status))
	w.text("lang", r.Lang)
	w.instant("fetched_at", r.FetchedAt, true)
	w.text("source", r.Source)
	w.text("replay", r.Replay)
	w.text("marker", r.Marker)
	outer := w.begin("event")
	r.Event.write(&w)
	w.end(outer)
	if !r.User.Raw.IsZero() {
		w.value("user", r.User.Raw)
	} else if r.User.OpenID != "" {
		outer := w.begin("user")
		r.User.write(&w)
		w.end(outer)
	}
	w.end(top)
	if w.err != nil {
		return b, fmt.Errorf("record: %w", w.err)
	}
	return w.b, nil
}

func (e *Event) write(w *mapWriter) {
	w.text("id", e.ID)
	w.text("type", e.Type)
	w.instant("time", e.Time, false)
	w.text("stream", e.Source.Stream)
	w.unsigned("seq", e.Source.Seq)
	w.text("subject", e.Source.Subject)
	w.instant("stored_at", e.Source.Time, false)
	w.text("event_key", e.EventKey)
	w.text("scene", e.Scene)
	w.text("ticket", e.Ticket)
	if !e.Meta.IsZero() {
		w.value("meta", e.Meta)
	}
}

// write makes a user of the fields, when there is no Raw: what is blank or
// zero cannot be told from what was not there, and is left out.
func (u *User) write(w *mapWriter) {
	w.key("subscribe")
	w.b = w.codec.integer(w.b, int64(u.Subscribe))
	w.text("openid", u.OpenID)
	w.text("unionid", u.UnionID)
	w.text("nickname", u.Nickname)
	w.integer("sex", int64(u.Sex))
	w.text("language", u.Language)
	w.text("city", u.City)
	w.text("province", u.Province)
	w.text("country", u.Country)
	w.text("headimgurl", u.HeadImgURL)
	w.integer("subscribe_time", u.SubscribeTime)
	w.text("remark", u.Remark)
	w.integer("groupid", u.GroupID)
	if u.TagIDs != nil {
		w.key("tagid_list")
		w.b = w.codec.integers(w.b, u.TagIDs)
	}
	w.text("subscribe_scene", u.SubscribeScene)
	w.unsigned("qr_scene", uint64(u.QRScene))
	w.text("qr_scene_str", u.QRSceneStr)
}

// mapWriter writes maps through a codec. What is zero is absent, except where
// the caller writes its key by hand.
type mapWriter struct {
	codec codec
	b     []byte
	now   openMap
	err   error
}

// openMap is a map that is being written: where it begins and its keys so far.
type openMap struct{ start, keys int }

// open begins a map and says which one was open before.
func (w *mapWriter) open() (outer openMap) {
	outer, w.now = w.now, openMap{start: len(w.b)}
	w.b = w.codec.openMap(w.b)
	return outer
}

func (w *mapWriter) begin(k string) (outer openMap) {
	w.key(k)
	return w.open()
}

func (w *mapWriter) end(outer openMap) {
	w.b = w.codec.closeMap(w.b, w.now.start, w.now.keys)
	w.now = outer
}

func (w *mapWriter) key(k string) {
	w.now.keys++
	w.b = w.codec.key(w.b, k)
}

func (w *mapWriter) text(k, s string) {
	if s != "" {
		w.key(k)
		w.b = w.codec.text(w.b, s)
	}
}

func (w *mapWriter) integer(k string, n int64) {
	if n != 0 {
		w.key(k)
		w.b = w.codec.integer(w.b, n)
	}
}

func (w *mapWriter) unsigned(k string, n uint64) {
	if n != 0 {
		w.key(k)
		w.b = w.codec.unsigned(w.b, n)
	}
}

func (w *mapWriter) instant(k string, t time.Time, micros bool) {
	if !t.IsZero() {
		w.key(k)
		w.b = w.codec.instant(w.b, t, micros)
	}
}

func (w *mapWriter) value(k string, v Value) {
	w.key(k)
	b, err := w.codec.value(w.b, v)
	w.b = b
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%s: %w", k, err)
	}
}

// Msg makes the message that answers the event: the record and all its headers
// but the trace context, which the publisher adds.
func (r *Record) Msg(subject string, f Format) (*nats.Msg, error) {
	var env Envelope
	if err := r.Fill(&env, f); err != nil {
		return nil, err
	}
	env.Msg.Subject = subject
	return &env.Msg, nil
}

// headerWriter keeps all values of a message's header in one backing array. Of
// a header that is written again only they change, as long as it has the same
// names: the map refers to their places.
type headerWriter struct {
	h             nats.Header
	names, values []string
	again         bool // h has had these names, and no others, until now
}

func newHeaderWriter(n int) headerWriter {
	return headerWriter{h: make(nats.Header, n), values: make([]string, 0, n)}
}

// set leaves an empty value out.
func (w *headerWriter) set(name, value string) {
	if value == "" {
		return
	}
	n := len(w.values)
	w.values = append(w.values, value)
	if w.again && n < len(w.names) && w.names[n] == name {
		return
	}
	w.anew(n)
	w.names = append(w.names, name)
	w.h[name] = w.values[n : n+1 : n+1]
}

// anew gives the header the first n names and no others.
func (w *headerWriter) anew(n int) {
	if len(w.names) == n {
		return
	}
	clear(w.h)
	w.names, w.again = w.names[:n], false
	for i, name := range w.names {
		w.h[name] = w.values[i : i+1 : i+1]
	}
}

// end returns the names that were set.
func (w *headerWriter) end() []string {
	w.anew(len(w.values))
	return w.names
}

func (w *headerWriter) source(s Source) {
	w.set(HeaderSrcStream, s.Stream)
	var room [32]byte
	w.set(HeaderSrcSeq, strconv.FormatUint(s.Seq, 10))
	w.set(HeaderSrcTime, string(appendTime(room[:0], s.Time, false)))
}

// identify sets a record's message id and where its event is, as parts of one
// string that is made in room.
func (w *headerWriter) identify(s Source, replay string, room []byte) {
	b := s.appendMsgID(room, replay)
	id := len(b)
	b = strconv.AppendUint(b, s.Seq, 10)
	seq := len(b)
	text := string(appendTime(b, s.Time, false))
	w.set(HeaderMsgID, text[:id])
	w.set(HeaderSrcStream, s.Stream)
	w.set(HeaderSrcSeq, text[id:seq])
	w.set(HeaderSrcTime, text[seq:])
}
