package pipeline

import (
	"bytes"
	"container/list"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// Recent remembers answers for the events that are still to come. A look-up
// that began after an event was stored answers it as well as a new one would,
// so in a backlog nobody is asked for twice. All lanes share one, and it is
// safe for concurrent use. A nil Recent remembers nothing.
type Recent struct {
	max int64 // bytes

	mu    sync.Mutex
	used  int64
	byKey map[recentKey]*list.Element
	order *list.List // of *recentAnswer, the latest used first
}

type recentKey struct {
	appid string
	gen   string // the job that asked; empty is the service
	life  uint64 // of the input stream: its sequences mean nothing in another
	key
}

// recentAnswer is of a user only what a record needs.
type recentAnswer struct {
	key     recentKey
	unionid string
	follows int // WeChat's subscribe
	raw     []byte
	began   time.Time // when the look-up began
	upTo    uint64    // every event up to this sequence was stored before that
}

// user is the answer as WeChat gave it.
func (a *recentAnswer) user() *wechat.User {
	return &wechat.User{OpenID: a.key.openid, UnionID: a.unionid, Subscribe: a.follows, Raw: a.raw}
}

// recentOverhead is about what an answer takes besides its row: itself, two
// openids, an element of the list and an entry of the map.
const recentOverhead = 400

func (a *recentAnswer) size() int64 { return int64(len(a.raw)) + recentOverhead }

// NewRecent remembers answers in up to about so many bytes; 0 or less is none.
func NewRecent(bytes int64) *Recent {
	if bytes <= 0 {
		return nil
	}
	return &Recent{max: bytes, byKey: make(map[recentKey]*list.Element), order: list.New()}
}

// put remembers an answer in place of an older one.
func (r *Recent) put(k recentKey, u *wechat.User, began time.Time, upTo uint64) {
	if r == nil || upTo == 0 {
		return
	}
	// A row is part of its whole batch's memory, and must not keep that alive.
	ids := k.openid + u.UnionID
	k.openid = ids[:len(k.openid)]
	a := &recentAnswer{
		key: k, unionid: ids[len(k.openid):], follows: u.Subscribe, raw: bytes.Clone(u.Raw),
		began: began, upTo: upTo,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.byKey[k]; ok {
		r.drop(old)
	}
	r.byKey[a.key] = r.order.PushFront(a)
	r.used += a.size()
	for r.used > r.max {
		r.drop(r.order.Back())
	}
}

func (r *Recent) drop(e *list.Element) {
	a := r.order.Remove(e).(*recentAnswer)
	delete(r.byKey, a.key)
	r.used -= a.size()
}

// get returns an answer for an event of sequence seq: one that was looked up
// after the event was stored, or at most maxAge before now.
func (r *Recent) get(k recentKey, seq uint64, maxAge time.Duration) *recentAnswer {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.byKey[k]
	if !ok {
		return nil
	}
	a := e.Value.(*recentAnswer)
	if seq > a.upTo && (maxAge <= 0 || time.Since(a.began) > maxAge) {
		return nil
	}
	r.order.MoveToFront(e)
	return a
}

// forget drops the answers about people of an account who are erased.
func (r *Recent) forget(appid string, erased func(openid, unionid string, at time.Time) bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.byKey {
		if a := e.Value.(*recentAnswer); k.appid == appid && erased(k.openid, a.unionid, a.began) {
			r.drop(e)
		}
	}
}
