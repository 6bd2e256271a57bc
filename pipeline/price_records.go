package pipeline

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// priceRecords is the price of a replay of records, which takes no call: how many
// of them it encodes anew, and of how many people.
func priceRecords(ctx context.Context, js jetstream.JetStream, cfg Config, j *job.Job, progress func(done, total uint64)) (Price, error) {
	p := Price{BatchSize: cfg.BatchSize}
	keep := keepOnly(j.Spec)
	met := make(people)
	span := scan.Span{Stream: j.Range.Stream, Subjects: j.Range.Subjects, From: j.Range.From, End: j.Range.To, Bodies: true, Progress: progress}
	err := scan.Read(ctx, js, span, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
		p.Messages++
		r, ok := rereadable(cfg.AppID, m.Headers(), m.Data())
		if !ok || keep != nil && !keep(&r.Event) {
			p.Skipped++
			return true
		}
		p.Free++
		met.add(r.Event.OpenID)
		return true
	})
	p.OpenIDs = int64(len(met))
	return p, err
}
