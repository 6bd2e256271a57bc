package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wxenrich/wxenrich/wechat/push"
)

// The reasons of the gateway itself, beside those of package push.
const (
	unknownAccount push.Reason = "unknown_account" // neither the path nor ToUserName names one that is configured
	tooLarge       push.Reason = "too_large"       // more than MaxBody
	tooMany        push.Reason = "rate"            // more than Rate
	busy           push.Reason = "busy"            // more than MaxInFlight
)

func refuse(reason push.Reason, format string, args ...any) error {
	return &push.Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// status is the HTTP status of a refusal. WeChat only looks whether it is told
// success; the status is for whoever reads a proxy's log.
func status(reason push.Reason) int {
	switch reason {
	case push.Malformed:
		return http.StatusBadRequest
	case unknownAccount:
		return http.StatusNotFound
	case tooLarge:
		return http.StatusRequestEntityTooLarge
	case tooMany:
		return http.StatusTooManyRequests
	case busy:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

// refused answers a push or a verification that is not taken. Only the reason
// is told: whoever tries has no use for more.
func (g *Gateway) refused(w http.ResponseWriter, r *http.Request, a *Account, err error) {
	refusal, ok := errors.AsType[*push.Refusal](err)
	if !ok {
		refusal = &push.Refusal{Reason: push.Malformed, Detail: err.Error()}
	}
	appid := ""
	if a != nil {
		appid = a.Receiver.AppID()
	}
	g.metrics.refuse(appid, refusal.Reason)
	g.quiet.do(appid+string(refusal.Reason), func() {
		g.cfg.Log.Warn("a push is refused; others for this reason are counted and not logged for a minute", slog.String("appid", appid),
			slog.String("reason", string(refusal.Reason)), slog.String("detail", refusal.Detail), slog.String("from", r.RemoteAddr))
	})
	http.Error(w, string(refusal.Reason), status(refusal.Reason))
}

// quiet lets a thing be said once a minute: anybody can send junk, and a log
// that is full of it hides the rest. Its keys are of a closed set.
type quiet struct {
	mu   sync.Mutex
	said map[string]*rate.Sometimes
}

func (q *quiet) do(key string, say func()) {
	q.mu.Lock()
	if q.said == nil {
		q.said = make(map[string]*rate.Sometimes)
	}
	s := q.said[key]
	if s == nil {
		s = &rate.Sometimes{Interval: time.Minute}
		q.said[key] = s
	}
	q.mu.Unlock()
	s.Do(say)
}
