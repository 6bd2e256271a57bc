package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// find keeps a finding if it is among the first of its kind and lane.
func (r *run) find(n uint64, f Finding, s *slot) {
	if r.scope.Show < 0 || n > uint64(r.scope.Show) {
		return
	}
	f.lane = int(s.lane)
	f.AppID, f.Output = r.scope.Lanes[s.lane].AppID, r.scope.Lanes[s.lane].named()
	f.Stored = time.Unix(0, s.stored).UTC()
	r.report.Findings = append(r.report.Findings, f)
}

// name puts the findings in order, and gives each its event's id as the lane
// would: for these few the whole event is read.
func (r *run) name(ctx context.Context) {
	slices.SortStableFunc(r.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Replay, b.Replay))
	})
	for i := range r.report.Findings {
		f := &r.report.Findings[i]
		m, err := r.streams[f.Stream].GetMsg(ctx, f.Seq)
		if err != nil || !m.Time.Equal(f.Stored) {
			continue // it has left the input, and its id with it
		}
		l := &r.scope.Lanes[f.lane]
		d := events.Decoder{AppID: l.AppID, Fields: l.Fields}
		e, _ := d.Decode(events.Message{ // what cannot be decoded has an id too
			Source: events.Source{Stream: f.Stream, Seq: f.Seq, Time: m.Time, Subject: m.Subject},
			Header: m.Header, Data: m.Data,
		})
		f.EventID = e.ID
		switch {
		case r.scope.OpenIDs:
			f.OpenID = e.OpenID
		case e.OpenID != "":
			f.EventID = strings.ReplaceAll(e.ID, e.OpenID, "…") // some producers make ids of them
		}
	}
}
