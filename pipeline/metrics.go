package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// counter is one of a lane's counters as an instrument. One that is late is absent
// until the account has had an event: of a thousand idle ones it would be nothing
// but zeros, which cost the process a quarter of what it does and Prometheus the
// room. Then it is there with its zero, or nobody would see the first step. The
// others are what alerts look for where nothing happens.
type counter struct {
	name, unit, help string
	late             bool
	read             func(*Counts) int64
}

var counters = [...]counter{
	{"wxenrich.events.received", "{event}", "Events taken in.", false, func(c *Counts) int64 { return c.Received }},
	{"wxenrich.events.handed_back", "{event}", "Events given back unanswered, by a stop or a hold.", true, func(c *Counts) int64 { return c.HandedBack }},
	{"wxenrich.records", "{record}", "Records stored.", false, func(c *Counts) int64 { return c.Records }},
	{"wxenrich.batches", "{batch}", "Groups of openids looked up.", true, func(c *Counts) int64 { return c.Batches }},
	{"wxenrich.batch.openids", "{openid}", "Openids looked up; over wxenrich.batches it is the mean fill.", true, func(c *Counts) int64 { return c.OpenIDs }},
	{"wxenrich.api.calls", "{call}", "API calls for data, retries and probes included.", true, func(c *Counts) int64 { return c.Calls }},
	{"wxenrich.api.retries", "{retry}", "Waits before a repeated API call.", true, func(c *Counts) int64 { return c.Retries }},
	{"wxenrich.events.recent", "{event}", "Events that an earlier look-up answered.", true, func(c *Counts) int64 { return c.Saved }},
	{"wxenrich.events.repeated", "{event}", "Events delivered again whose answer was there already.", true, func(c *Counts) int64 { return c.Repeats }},
	{"wxenrich.events.erased", "{event}", "Events about erased people, for whom nothing was stored.", true, func(c *Counts) int64 { return c.Erased }},
	{"wxenrich.lookbacks", "{read}", "Reads of the output's headers to find answers beyond the duplicate window.", true, func(c *Counts) int64 { return c.LookBacks }},
	{"wxenrich.lookback_answers", "{answer}", "Answers whose headers were read for that.", true, func(c *Counts) int64 { return c.LookedAt }},
	{"wxenrich.unionids.missing", "{openid}", "Followers without a unionid on an account that has them.", true, func(c *Counts) int64 { return c.NoUnionID }},
	{"wxenrich.samples", "{row}", "Rows of batches compared with user/info.", true, func(c *Counts) int64 { return c.Samples }},
	{"wxenrich.rows.missing", "{openid}", "Openids without a row in the answer.", true, func(c *Counts) int64 { return c.Missing }},
}

// bulkCounters are those of jobs, which the others leave out.
var bulkCounters = [...]struct {
	name, unit, help string
	read             func(*job.Progress) int64
}{
	{"wxenrich.bulk.messages", "{message}", "Messages that jobs have behind them, by the kind of job.", func(p *job.Progress) int64 { return p.Done }},
	{"wxenrich.bulk.records", "{record}", "Records stored by jobs.", func(p *job.Progress) int64 { return p.Records }},
	{"wxenrich.bulk.dead_letters", "{message}", "Dead letters stored by jobs.", func(p *job.Progress) int64 { return p.Dead }},
	{"wxenrich.bulk.api.calls", "{call}", "API calls for data made by jobs, retries included.", func(p *job.Progress) int64 { return p.Calls }},
}

var jobKinds = [...]job.Kind{job.Replay, job.Backfill, job.Redrive}

// Observe registers the lanes' instruments with a meter: counters, and for
// each lane what it has in hand, whether it is ready and why it is on hold.
// Labels are the account, reasons of closed sets, and the errcode of a hold.
// Nothing is computed until somebody reads. The lanes are asked for anew each
// time.
func Observe(meter metric.Meter, lanes func() []*Lane) error {
	var errs []error
	var all []metric.Observable
	sums := make([]metric.Int64Observable, len(counters))
	for i, c := range counters {
		o, err := meter.Int64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.help))
		errs = append(errs, err)
		sums[i], all = o, append(all, o)
	}
	bulk := make([]metric.Int64Observable, len(bulkCounters))
	for i, c := range bulkCounters {
		o, err := meter.Int64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.help))
		errs = append(errs, err)
		bulk[i], all = o, append(all, o)
	}
	atWork, err := meter.Int64ObservableGauge("wxenrich.bulk.running", metric.WithDescription("1 while this replica does a job of the account, by the kind of job."))
	errs = append(errs, err)
	dead, err := meter.Int64ObservableCounter("wxenrich.dead_letters", metric.WithUnit("{message}"), metric.WithDescription("Dead letters stored, by reason."))
	errs = append(errs, err)
	doubted, err := meter.Int64ObservableCounter("wxenrich.answers.doubted", metric.WithUnit("{answer}"), metric.WithDescription("Answers that contradicted themselves, by how; none of their rows went out."))
	errs = append(errs, err)
	differ, err := meter.Int64ObservableCounter("wxenrich.samples.differences", metric.WithUnit("{row}"), metric.WithDescription("Rows of batches that differ from user/info, by field."))
	errs = append(errs, err)
	inHand, err := meter.Int64ObservableGauge("wxenrich.events.in_hand", metric.WithUnit("{event}"), metric.WithDescription("Events taken in and not yet answered."))
	errs = append(errs, err)
	ready, err := meter.Int64ObservableGauge("wxenrich.lane.ready", metric.WithDescription("1 while the account's events are answered."))
	errs = append(errs, err)
	held, err := meter.Int64ObservableGauge("wxenrich.lane.held", metric.WithDescription("1 while the account is on hold, by reason and WeChat's errcode."))
	errs = append(errs, err)
	nextTry, err := meter.Float64ObservableGauge("wxenrich.lane.next_try_timestamp", metric.WithUnit("s"), metric.WithDescription("When an account on hold is tried next, as a unix time; absent when it is not before somebody says so."))
	errs = append(errs, err)
	limit, err := meter.Float64ObservableGauge("wxenrich.api.rate_limit", metric.WithUnit("{call}/s"), metric.WithDescription("API calls a second that are allowed now; absent when any number is."))
	errs = append(errs, err)
	quota, err := meter.Int64ObservableGauge("wxenrich.quota.limit", metric.WithDescription("What may be used of the account's quota today; absent until WeChat or quota.limit says it."))
	errs = append(errs, err)
	used, err := meter.Int64ObservableGauge("wxenrich.quota.used", metric.WithDescription("What is used of today's quota, by anybody, in calls or openids, by unit; absent until something is, or its limit is known."))
	errs = append(errs, err)
	expires, err := meter.Float64ObservableGauge("wxenrich.input.oldest_expires", metric.WithUnit("s"), metric.WithDescription("Until the oldest event that is not acknowledged leaves the input by age; absent when none waits."))
	errs = append(errs, err)
	oldest, err := meter.Float64ObservableGauge("wxenrich.input.oldest_age", metric.WithUnit("s"), metric.WithDescription("How long ago the oldest event that is not acknowledged was stored; absent when none waits."))
	errs = append(errs, err)
	lag, err := meter.Int64ObservableGauge("wxenrich.input.lag", metric.WithUnit("{event}"), metric.WithDescription("Events in the input that are not acknowledged."))
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, l := range lanes() {
			account := attribute.String("appid", l.cfg.AppID)
			of := l.timings.account
			counts := l.stats.sums()
			idle := counts.Received == 0
			for i, c := range counters {
				if n := c.read(&counts); n > 0 || !idle || !c.late {
					o.ObserveInt64(sums[i], n, of)
				}
			}
			for _, kind := range jobKinds {
				done, running := l.Bulk(kind)
				if idle && !running && done == (job.Progress{}) {
					continue
				}
				of := metric.WithAttributes(account, attribute.String("kind", string(kind)))
				for i, c := range bulkCounters {
					o.ObserveInt64(bulk[i], c.read(&done), of)
				}
				o.ObserveInt64(atWork, oneIf(running), of)
			}
			for i, reason := range deadReasons {
				if n := l.stats.dead[i].Load(); n > 0 || !idle {
					o.ObserveInt64(dead, n, metric.WithAttributes(account, attribute.String("reason", string(reason))))
				}
			}
			for i, field := range differences {
				if n := l.stats.differ[i].Load(); n > 0 || !idle {
					o.ObserveInt64(differ, n, metric.WithAttributes(account, attribute.String("field", field)))
				}
			}
			for i, doubt := range doubts {
				if n := l.stats.doubts[i].Load(); n > 0 || !idle {
					o.ObserveInt64(doubted, n, metric.WithAttributes(account, attribute.String("doubt", string(doubt))))
				}
			}
			o.ObserveInt64(inHand, counts.InHand, of)
			if perSecond := l.RateLimit(); perSecond > 0 {
				o.ObserveFloat64(limit, perSecond, of)
			}
			day := l.Quota()
			if day.Limit > 0 {
				o.ObserveInt64(quota, day.Limit, of)
			}
			if day.Limit > 0 || day.Used > 0 {
				o.ObserveInt64(used, day.Used, metric.WithAttributes(account, attribute.String("unit", day.Unit)))
			}
			o.ObserveInt64(lag, l.Lag(), of)
			if at, waiting := l.Oldest(); waiting {
				o.ObserveFloat64(oldest, time.Since(at).Seconds(), of)
			}
			if at, waiting := l.OldestExpires(); waiting {
				o.ObserveFloat64(expires, time.Until(at).Seconds(), of)
			}
			state := l.State()
			o.ObserveInt64(ready, oneIf(state.Ready()), of)
			if h := state.Hold; h != nil {
				o.ObserveInt64(held, 1, metric.WithAttributes(account, attribute.String("reason", h.Reason), attribute.Int("errcode", h.Code)))
				if !h.Until.IsZero() {
					o.ObserveFloat64(nextTry, float64(h.Until.UnixMilli())/1000, of)
				}
			}
		}
		return nil
	}, append(all, atWork, dead, doubted, differ, inHand, limit, quota, used, ready, held, nextTry, expires, oldest, lag)...)
	return err
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
