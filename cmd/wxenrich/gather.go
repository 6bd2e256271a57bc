package main

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// gatherPresent leaves out the series of accounts that are not in the
// configuration any more: OpenTelemetry's SDK keeps a histogram's labels for as
// long as the process lives. cfg is asked each time; nil: no account has gone.
func gatherPresent(g prometheus.Gatherer, cfg func() *config.Config) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := g.Gather()
		c := cfg()
		if c == nil {
			return families, err
		}
		present := map[string]bool{"": true} // a push that named nobody
		for _, appid := range c.AppIDs() {
			present[appid] = true
		}
		gone := func(m *dto.Metric) bool {
			return slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "appid" && !present[l.GetValue()] })
		}
		return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool {
			f.Metric = slices.DeleteFunc(f.Metric, gone)
			return len(f.Metric) == 0
		}), err
	})
}
