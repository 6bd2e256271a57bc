package pipelinetest_test

import (
	"context"
	"testing"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/pipelinetest"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A user's own test, whole: three people, of whom one has left, while WeChat is
// busy for a moment.
func TestYourOwnConsumer(t *testing.T) {
	t.Parallel()
	const appid = "wx0123456789abcdef"
	s := pipelinetest.Start(t, appid)
	s.Account.Unfollow(s.Account.OpenID(1))
	s.Account.SetRow(s.Account.OpenID(2), `{"remark":"老客户 🐼"}`)
	s.WeChat.Inject(wechattest.Fault{Times: 1, Match: wechattest.Match{Endpoint: "user/info/batchget"}, Do: wechattest.Action{Code: -1}})

	p, err := events.NewPublisher(s.NATS.JetStream(), events.PublisherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range []string{"subscribe", "SCAN", "unsubscribe"} {
		if _, err := p.Publish(t.Context(), events.Event{AppID: appid, OpenID: s.Account.OpenID(i), ID: kind, Type: kind}); err != nil {
			t.Fatal(err)
		}
	}

	mine, err := events.NewSubscriber(t.Context(), s.NATS.JetStream(), events.SubscriberConfig{Durable: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]events.Status{}
	ctx, enough := context.WithCancel(t.Context())
	err = mine.Run(ctx, func(_ context.Context, d *events.Delivery) error {
		if got[d.Record.Event.ID] = d.Record.Status; len(got) == 3 {
			enough()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got["subscribe"] != events.Following || got["SCAN"] != events.NotFollowing || got["unsubscribe"] != events.Unsubscribed {
		t.Errorf("got %v", got)
	}
}
