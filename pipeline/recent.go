package pipeline

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/ring"
	"github.com/wxenrich/wxenrich/wechat"
)

// Recent remembers answers for the events that are still to come. A look-up
// that began after an event was stored answers it as well as a new one would,
// so in a backlog nobody is asked for twice. It forgets those first that were
// looked up longest ago. All lanes share one, and it is safe for concurrent use.
// A nil Recent remembers nothing.
type Recent struct {
	mu   sync.Mutex
	ring *ring.Ring // of recentAnswers by recentKeys, as bytes

	k, v []byte // memory for one of each, used again and again
}

type recentKey struct {
	appid string
	gen   string // whether a job asked: see task.pool
	life  uint64 // of the input stream: its sequences mean nothing in another
	key
}

// append appends the key's bytes. No part has a zero byte in it.
func (k *recentKey) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, k.life)
	for _, part := range [...]string{k.appid, k.gen, k.lang} {
		b = append(append(b, part...), 0)
	}
	return append(b, k.openid...)
}

// recentKeyOf reads an account and a person from a key's bytes.
func recentKeyOf(b []byte) (appid, openid string) {
	parts := bytes.SplitN(b[8:], []byte{0}, 4)
	return string(parts[0]), string(parts[3])
}

// recentAnswer is of a user only what a record needs.
type recentAnswer struct {
	user  wechat.User
	began time.Time // when the look-up began
	upTo  uint64    // every event up to this sequence was stored before that
}

// append appends the answer's bytes.
func (a *recentAnswer) append(b []byte) []byte {
	b = binary.AppendUvarint(b, a.upTo)
	b = binary.AppendVarint(b, a.began.UnixNano())
	b = binary.AppendVarint(b, int64(a.user.Subscribe))
	b = binary.AppendUvarint(b, uint64(len(a.user.UnionID)))
	b = append(b, a.user.UnionID...)
	return append(b, a.user.Raw...)
}

// recentAnswerOf reads an answer; its row is still in b.
func recentAnswerOf(b []byte) (a recentAnswer) {
	upTo, n := binary.Uvarint(b)
	b = b[n:]
	began, n := binary.Varint(b)
	b = b[n:]
	subscribe, n := binary.Varint(b)
	b = b[n:]
	unionid, n := binary.Uvarint(b)
	b = b[n:]
	a.upTo, a.began = upTo, time.Unix(0, began)
	a.user = wechat.User{Subscribe: int(subscribe), UnionID: string(b[:unionid]), Raw: b[unionid:]}
	return a
}

// NewRecent remembers answers in up to about so many bytes; 0 or less is none.
func NewRecent(bytes int64) *Recent {
	if bytes <= 0 {
		return nil
	}
	return &Recent{ring: ring.New(int(bytes))}
}

// put remembers an answer in place of an older one.
func (r *Recent) put(k recentKey, u *wechat.User, began time.Time, upTo uint64) {
	if r == nil || upTo == 0 {
		return
	}
	a := recentAnswer{*u, began, upTo}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.k, r.v = k.append(r.k[:0]), a.append(r.v[:0])
	r.ring.Put(r.k, r.v)
}

// get returns an answer for an event of sequence seq: one that was looked up
// after the event was stored, or at most maxAge before now.
func (r *Recent) get(k recentKey, seq uint64, maxAge time.Duration) *recentAnswer {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.k = k.append(r.k[:0])
	b := r.ring.Get(r.k)
	if b == nil {
		return nil
	}
	a := recentAnswerOf(b)
	if seq > a.upTo && (maxAge <= 0 || time.Since(a.began) > maxAge) {
		return nil
	}
	a.user.OpenID, a.user.Raw = k.openid, bytes.Clone(a.user.Raw)
	return &a
}

// forget drops the answers about people of an account who are erased.
func (r *Recent) forget(appid string, erased func(openid, unionid string, at time.Time) bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring.Delete(func(key, value []byte) bool {
		of, openid := recentKeyOf(key)
		a := recentAnswerOf(value)
		return of == appid && erased(openid, a.user.UnionID, a.began)
	})
}
