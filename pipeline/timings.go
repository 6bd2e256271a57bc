package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Timings are the histograms of how long events take, by account. Recording
// costs some 100 ns an event. All lanes of a process share one; a nil one
// records nothing. It is safe for concurrent use.
type Timings struct {
	event   metric.Float64Histogram // from an event stored to its answer stored, by the clocks of server and process
	waited  metric.Float64Histogram // from an openid taken in to its look-up
	publish metric.Float64Histogram // from answers published to all of them stored
}

// Bounds of the histograms' buckets in seconds. An event takes a call or, after
// an outage, days.
var (
	eventBounds = []float64{.005, .01, .025, .05, .1, .15, .2, .3, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 10800, 86400}
	partBounds  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// NewTimings makes the histograms.
func NewTimings(meter metric.Meter) (*Timings, error) {
	var t Timings
	var errs [3]error
	t.event, errs[0] = meter.Float64Histogram("wxenrich.event.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(eventBounds...),
		metric.WithDescription("From an event stored to its answer stored."))
	t.waited, errs[1] = meter.Float64Histogram("wxenrich.batch.wait", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(partBounds...),
		metric.WithDescription("From the first event of a batch taken in to its look-up."))
	t.publish, errs[2] = meter.Float64Histogram("wxenrich.publish.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(partBounds...),
		metric.WithDescription("From the answers of a batch published to the last of them stored."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("timings: %w", err)
	}
	return &t, nil
}

// laneTimings are the timings of one account.
type laneTimings struct {
	*Timings
	account metric.MeasurementOption // made once: an option for each event would cost more than the record
	record  []metric.RecordOption    // the same, as Record takes it
}

func (t *Timings) of(appid string) laneTimings {
	account := metric.WithAttributeSet(attribute.NewSet(attribute.String("appid", appid)))
	return laneTimings{t, account, []metric.RecordOption{account}}
}

func (t laneTimings) answered(stored, now time.Time) {
	if t.Timings != nil {
		t.event.Record(context.Background(), now.Sub(stored).Seconds(), t.record...)
	}
}

func (t laneTimings) lookedUp(oldest, now time.Time) {
	if t.Timings != nil {
		t.waited.Record(context.Background(), now.Sub(oldest).Seconds(), t.record...)
	}
}

func (t laneTimings) published(d time.Duration) {
	if t.Timings != nil {
		t.publish.Record(context.Background(), d.Seconds(), t.record...)
	}
}
