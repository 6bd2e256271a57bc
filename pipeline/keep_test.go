package pipeline_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/pipelinetest"
)

// What is not on the list is not stored.
func TestRecordsSayNoMoreThanIsKept(t *testing.T) {
	t.Parallel()
	keep, err := events.ParseKeep([]string{"user.tagid_list"})
	if err != nil {
		t.Fatal(err)
	}
	s := pipelinetest.Start(t, appid, func(c *pipeline.Config) { c.Outputs[0].Keep, c.Outputs[0].Format = keep, events.JSON })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	js := s.NATS.JetStream()
	openid := s.Account.OpenID(3)
	s.Account.SetRow(openid, `{"subscribe":1,"openid":"`+openid+`","unionid":"canary-unionid","remark":"canary-remark","tagid_list":[7],"new":"canary-new"}`)
	event := `{"openid":"` + openid + `","meta":"canary-meta"}`
	if _, err := js.Publish(ctx, "wx.events."+appid+".subscribe", []byte(event)); err != nil {
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
	r, err := events.ParseRecord(msg.Headers(), msg.Data())
	if err != nil || r.Event.OpenID != openid || r.Status != events.Following || len(r.User.TagIDs) != 1 {
		t.Errorf("%v: %s", err, msg.Data())
	}
	if bytes.Contains(msg.Data(), []byte("canary")) {
		t.Errorf("stored: %s", msg.Data())
	}
}
