package pipeline

import (
	"context"
	"sync"
	"time"
)

// mark is the highest sequence of the input stream that is known to be stored.
// A call that begins afterwards is newer than every event up to it, whatever
// the clocks of two machines say.
type mark struct {
	mu   sync.Mutex
	seq  uint64
	life uint64 // counts the streams of this name that there have been
}

// raise notes that seq is stored in the stream of that life.
func (m *mark) raise(life, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if life == m.life {
		m.seq = max(m.seq, seq)
	}
}

// seen notes that an event of that sequence was delivered.
func (m *mark) seen(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = max(m.seq, seq)
}

// forget begins anew: the stream may be another one of the same name.
func (m *mark) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life++
	m.seq = 0
}

func (m *mark) get() (life, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life, m.seq
}

// markEvery is how often the stream is asked for its last sequence, as long as
// there is a backlog. Without one the deliveries say it.
const markEvery = time.Second

// askMark asks the stream, beside the loop; an error only means that fewer
// answers serve twice.
func (l *loop) askMark(now time.Time) {
	if l.recent == nil || !l.backlog || l.marking || now.Sub(l.marked) < markEvery || l.resting() {
		return
	}
	l.marking, l.marked = true, now
	life, _ := l.mark.get()
	go func() {
		ctx, cancel := context.WithTimeout(l.c.stop, requestTimeout)
		defer cancel()
		if stream, err := l.js.Stream(ctx, l.cfg.Stream); err == nil {
			l.mark.raise(life, stream.CachedInfo().State.LastSeq)
		}
		l.asked <- struct{}{}
	}()
}
