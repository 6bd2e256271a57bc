package pipeline

import (
	"log/slog"
	"sync"
	"time"
)

// Phase is what a lane is doing.
type Phase string

// The phases of a lane.
const (
	Connecting Phase = "connecting" // waits for the server or the durable
	Running    Phase = "running"
	Held       Phase = "held"    // the account cannot answer: see Hold
	Paused     Phase = "paused"  // somebody has paused the durable, and it delivers nothing
	Refused    Phase = "refused" // a person has to decide: see Refusal
	Stopping   Phase = "stopping"
	Stopped    Phase = "stopped"
)

// State is a lane's condition, for people and for readiness checks.
type State struct {
	Phase  Phase
	Reason string    // why it connects, is paused or refuses
	Hint   string    // what to do about it
	Hold   *Hold     // why it is held; nil otherwise
	Until  time.Time // when a pause ends; zero otherwise
	Output string    // why records cannot be stored; empty when they can
	WeChat string    // why WeChat gives no answer, when it has given none for a while; empty when it does
}

// Ready reports whether events are answered.
func (s State) Ready() bool { return s.Phase == Running && s.Output == "" }

// stateKeeper holds a lane's state and logs each change of it once.
type stateKeeper struct {
	log *slog.Logger

	mu     sync.Mutex
	now    State
	silent time.Time     // since when every call has failed; zero if the latest was answered
	anew   chan struct{} // closed when the state is set anew; nil while nobody waits for that
}

func (k *stateKeeper) get() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// watch returns the state, and a channel that is closed when it is set anew.
func (k *stateKeeper) watch() (State, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.anew == nil {
		k.anew = make(chan struct{})
	}
	return k.now, k.anew
}

// set changes all but the condition of the output and of WeChat.
func (k *stateKeeper) set(s State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.anew != nil {
		close(k.anew)
		k.anew = nil
	}
	before := k.now
	s.Output, s.WeChat = before.Output, before.WeChat
	if before.Phase == Refused && s.Phase == Stopped {
		s.Reason, s.Hint, s.Phase = before.Reason, before.Hint, Refused // still says why
	}
	k.now = s
	switch {
	case s.Phase == Held:
		if before.Hold == nil || before.Hold.Reason != s.Hold.Reason || before.Hold.Code != s.Hold.Code {
			k.log.Error("lane is on hold: nothing is pulled, and no event is lost", slog.Any("hold", s.Hold))
		}
	case s.Phase == before.Phase && s.Reason == before.Reason:
	case s.Phase == Refused:
		k.log.Error("lane refuses to start", slog.String("reason", s.Reason), slog.String("hint", s.Hint))
	case s.Phase == Connecting && s.Reason != "":
		k.log.Warn("lane waits for NATS", slog.String("reason", s.Reason))
	default:
		k.log.Info("lane is " + string(s.Phase))
	}
}

// outputFailed notes that answers cannot be stored.
func (k *stateKeeper) outputFailed(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.Output == "" {
		k.log.Warn("the output does not take records; answers are kept and published again", slog.Any("error", err))
	}
	k.now.Output = err.Error()
}

// outputWorks notes that they can again.
func (k *stateKeeper) outputWorks() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.Output != "" {
		k.log.Info("the output takes records again")
		k.now.Output = ""
	}
}

// silence is for how long calls may fail until somebody is told: a retry or two
// is life.
const silence = 30 * time.Second

// unheard notes that a call got no answer that could be used.
func (k *stateKeeper) unheard(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.silent.IsZero() {
		k.silent = now
	}
	if now.Sub(k.silent) < silence {
		return
	}
	if k.now.WeChat == "" {
		k.log.Warn("WeChat has answered no call for a while; events wait", slog.Duration("for", now.Sub(k.silent).Round(time.Second)), slog.Any("error", err))
	}
	k.now.WeChat = err.Error()
}

// heard notes that one was answered.
func (k *stateKeeper) heard() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = time.Time{}
	if k.now.WeChat != "" {
		k.log.Info("WeChat answers again")
		k.now.WeChat = ""
	}
}

// LogValue names what an operator needs of a hold.
func (h *Hold) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("reason", h.Reason), slog.Int("errcode", h.Code), slog.String("detail", h.Detail), slog.String("rid", h.RID),
	}
	if !h.Until.IsZero() {
		attrs = append(attrs, slog.Time("next_try", h.Until))
	}
	return slog.GroupValue(append(attrs, slog.String("hint", h.Hint))...)
}
