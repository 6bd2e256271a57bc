package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// metrics are the gateway's instruments. Labels are accounts and closed sets.
type metrics struct {
	pushes   metric.Int64Counter
	refusals metric.Int64Counter
	duration metric.Float64Histogram
	drained  metric.Int64Counter
}

// bounds of the buckets in seconds, up to WeChat's patience.
var bounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newMetrics(meter metric.Meter, s *spool.Spool) (*metrics, error) {
	var m metrics
	var errs [9]error
	m.pushes, errs[0] = meter.Int64Counter("wxenrich.pushes", metric.WithUnit("{push}"),
		metric.WithDescription("Pushes that WeChat signed, by outcome."))
	m.refusals, errs[1] = meter.Int64Counter("wxenrich.pushes.refused", metric.WithUnit("{push}"),
		metric.WithDescription("Pushes and verifications that were not taken, by reason; appid is empty where none was named."))
	m.duration, errs[2] = meter.Float64Histogram("wxenrich.push.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(bounds...),
		metric.WithDescription("From a push to its answer."))
	m.drained, errs[3] = meter.Int64Counter("wxenrich.spool.drained", metric.WithUnit("{push}"),
		metric.WithDescription("Pushes taken out of the spool, by outcome."))
	records, err4 := meter.Int64ObservableGauge("wxenrich.spool.pushes", metric.WithUnit("{push}"), metric.WithDescription("Pushes in the spool."))
	size, err5 := meter.Int64ObservableGauge("wxenrich.spool.size", metric.WithUnit("By"), metric.WithDescription("Bytes in the spool."))
	age, err6 := meter.Float64ObservableGauge("wxenrich.spool.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest push in the spool; 0 when there is none."))
	damaged, err7 := meter.Int64ObservableGauge("wxenrich.spool.damaged", metric.WithUnit("By"), metric.WithDescription("Bytes of the spool that cannot be read, since the start."))
	copy(errs[4:], []error{err4, err5, err6, err7})
	if s != nil {
		_, errs[8] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			now := s.Stats()
			o.ObserveInt64(records, int64(now.Records))
			o.ObserveInt64(size, now.Bytes)
			o.ObserveInt64(damaged, now.Damaged)
			old := 0.0
			if now.Records > 0 {
				old = time.Since(now.Oldest).Seconds()
			}
			o.ObserveFloat64(age, old)
			return nil
		}, records, size, damaged, age)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("gateway: metrics: %w", err)
	}
	return &m, nil
}

func (m *metrics) take(appid string, o outcome, d time.Duration) {
	account := attribute.String("appid", appid)
	m.pushes.Add(context.Background(), 1, metric.WithAttributes(account, attribute.String("outcome", string(o))))
	m.duration.Record(context.Background(), d.Seconds(), metric.WithAttributes(account))
}

func (m *metrics) refuse(appid string, reason push.Reason) {
	m.refusals.Add(context.Background(), 1, metric.WithAttributes(attribute.String("appid", appid), attribute.String("reason", string(reason))))
}

func (m *metrics) drain(appid string, o outcome) {
	m.drained.Add(context.Background(), 1, metric.WithAttributes(attribute.String("appid", appid), attribute.String("outcome", string(o))))
}
