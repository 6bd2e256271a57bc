package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/wechat/push"
)

// verify answers the request by which WeChat finds out whether the address is
// the account's own.
func (g *Gateway) verify(w http.ResponseWriter, r *http.Request) {
	accounts := g.roster.Load()
	a, err := accounts.account(r)
	if err != nil {
		g.refused(w, r, nil, err)
		return
	}
	q, err := push.ParseQuery(r.URL.Query())
	if err != nil {
		g.refused(w, r, a, err)
		return
	}
	candidates := accounts.all
	if a != nil {
		candidates = []Account{*a}
	}
	err = refuse(unknownAccount, "no account is configured")
	for i := range candidates { // at the path of all, whose token fits
		var echo string
		if echo, err = candidates[i].Receiver.Verify(q, time.Now()); err == nil {
			g.cfg.Log.Info("WeChat has verified the address", slog.String("appid", candidates[i].Receiver.AppID()))
			_, _ = io.WriteString(w, echo) // an error: WeChat is gone
			return
		}
	}
	g.refused(w, r, a, err)
}

// push takes a message or an event.
func (g *Gateway) push(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)) // of a proxy
	ctx, span := g.tracer.Start(ctx, "POST "+g.cfg.Path, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()

	a, m, err := g.read(w, r, began)
	if err == nil && !g.allow(m.AppID) {
		err = refuse(tooMany, "more than %g pushes a second for the account", g.cfg.Rate)
	}
	if err == nil {
		select { // only now: strangers, who cannot sign, take nobody's place
		case g.inFlight <- struct{}{}:
			defer func() { <-g.inFlight }()
		default:
			err = refuse(busy, "%d pushes are waiting for their stream", g.cfg.MaxInFlight)
		}
	}
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		g.refused(w, r, a, err)
		return
	}
	span.SetAttributes(attribute.String("wechat.appid", m.AppID), attribute.String("wechat.push.type", m.Type))
	outcome, err := g.store(ctx, a, m, began.Add(g.cfg.Timeout))
	g.metrics.take(m.AppID, outcome, time.Since(began))
	g.cfg.Log.Debug("push", slog.String("appid", m.AppID), slog.String("type", m.Kind()),
		slog.String("id", m.ID()), slog.String("outcome", string(outcome)))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		g.quiet.do(m.AppID+string(failed), func() {
			g.cfg.Log.Error("a push is not stored, and WeChat is left to send it again; others are counted and not logged for a minute",
				slog.String("appid", m.AppID), slog.String("type", m.Kind()), slog.Any("error", err))
		})
		http.Error(w, "not stored", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, push.Success) // an error: WeChat is gone, and will send it again
}

// allow reports whether an account's rate has room for a push. Only what is
// signed counts, so nobody but WeChat can use it up.
func (g *Gateway) allow(appid string) bool {
	limit := g.roster.Load().limits[appid]
	return limit == nil || limit.Allow()
}

// read bounds, parses and checks a push. The account is returned with an error
// too, where it is known.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, began time.Time) (*Account, *push.Message, error) {
	accounts := g.roster.Load()
	a, err := accounts.account(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := push.ParseQuery(r.URL.Query())
	if err != nil {
		return a, nil, err
	}
	// An error: this writer knows no deadline, and the server has its own.
	_ = http.NewResponseController(w).SetReadDeadline(began.Add(g.cfg.Timeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.cfg.MaxBody))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return a, nil, refuse(tooLarge, "the body is larger than %d bytes", g.cfg.MaxBody)
	} else if err != nil {
		return a, nil, refuse(push.Malformed, "the body does not come to an end")
	}
	e, err := push.ParseEnvelope(body)
	if err != nil {
		return a, nil, err
	}
	if a == nil {
		if a = accounts.byID[e.To()]; a == nil {
			return nil, nil, refuse(unknownAccount, "the path names no account, and ToUserName none that is configured")
		}
	}
	m, err := a.Receiver.Open(q, e, time.Now())
	return a, m, err
}
