package pipeline_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	cejetstream "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/pipelinetest"
)

// TestCloudEventsRoundTrip has the official SDK write an event, and read the
// record of it.
func TestCloudEventsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, format := range []events.Format{events.JSON, events.Msgpack} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			s := pipelinetest.Start(t, appid, func(c *pipeline.Config) { c.Outputs[0].CloudEvents, c.Outputs[0].Format = true, format })
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			js := s.NATS.JetStream()
			openid := s.Account.OpenID(7)

			in := event.New()
			in.SetID("order 17 100%")
			in.SetSource("/crm")
			in.SetType("subscribe")
			in.SetTime(time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC))
			if err := in.SetData("application/json", map[string]any{"openid": openid, "meta": "活动 🎉"}); err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			header, err := cejetstream.WriteMsg(binding.WithForceBinary(ctx), (*binding.EventMessage)(&in), &body)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: "wx.events." + appid + ".subscribe", Header: header, Data: body.Bytes()}); err != nil {
				t.Fatal(err)
			}

			c, err := js.OrderedConsumer(ctx, "WX_PROFILES", jetstream.OrderedConsumerConfig{})
			if err != nil {
				t.Fatal(err)
			}
			msg, err := c.Next(jetstream.FetchMaxWait(patience))
			if err != nil {
				t.Fatal(err)
			}
			received := cejetstream.NewMessage(&nats.Msg{Header: msg.Headers(), Data: msg.Data()})
			if received.ReadEncoding() != binding.EncodingBinary {
				t.Errorf("encoding %v", received.ReadEncoding())
			}
			out, err := binding.ToEvent(ctx, received)
			if err != nil {
				t.Fatal(err)
			}
			if err := out.Validate(); err != nil {
				t.Error(err)
			}
			f, _ := events.FormatOf(out.DataContentType())
			r, err := events.DecodeRecord(out.Data(), f)
			if err != nil {
				t.Fatal(err)
			}
			if r.Event.ID != in.ID() || r.Event.OpenID != openid || r.Status != events.Following || !r.Event.Time.Equal(in.Time()) || f != format {
				t.Errorf("record %+v in %s", r, f)
			}
			for what, is := range map[string][2]string{
				"id":         {out.ID(), msg.Headers().Get(events.HeaderMsgID)},
				"source":     {out.Source(), "urn:wxenrich:" + appid},
				"type":       {out.Type(), events.SchemaV1},
				"subject":    {out.Subject(), openid},
				"dataschema": {out.DataSchema(), "urn:wxenrich:v1:record"},
				"time":       {out.Time().UTC().Format(time.RFC3339Nano), r.FetchedAt.Format(time.RFC3339Nano)},
			} {
				if is[0] != is[1] {
					t.Errorf("%s: %q, want %q", what, is[0], is[1])
				}
			}
			// Whoever knows nothing of CloudEvents reads it as before.
			if _, err := events.ParseRecord(msg.Headers(), msg.Data()); err != nil {
				t.Error(err)
			}
		})
	}
}
