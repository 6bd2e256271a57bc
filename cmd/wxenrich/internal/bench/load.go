package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// producer makes the events of a load: the same each time.
type producer struct {
	Load
	people []*wechattest.Account // of each account
	luck   *rand.Rand
	person func() int // of the hot ones
	meta   string
	sent   int
}

func newProducer(l Load) *producer {
	p := &producer{Load: l, luck: rand.New(rand.NewPCG(1, 2))}
	sim := wechattest.New() // openids follow from the appid: it knows the same as the one that is asked
	for i := range l.Accounts {
		p.people = append(p.people, sim.AddAccount(wechattest.AccountConfig{AppID: appid(i), Secret: secret}))
	}
	if l.Hot {
		// Of 20,000 draws some 8,400 are different, and the first few are a tenth.
		z := rand.NewZipf(p.luck, 1.1, 30, 100_000)
		p.person = func() int { return int(z.Uint64()) }
	}
	if l.Meta > 0 {
		p.meta = strings.Repeat("m", l.Meta)
	}
	return p
}

// event makes the next event.
func (p *producer) event() *nats.Msg {
	account, person := p.sent%p.Accounts, p.sent/p.Accounts
	p.sent++
	if p.person != nil {
		person = p.person()
	}
	openid := p.people[account].OpenID(person)
	switch r := p.luck.Float64(); {
	case r < p.Refused:
		openid = p.people[account].BadOpenID(person)
	case r < p.Refused+p.Malformed:
		openid = "no openid"
	}
	body := openid
	if p.meta != "" {
		body = fmt.Sprintf(`{"openid":%q,"meta":%q}`, openid, p.meta)
	}
	return &nats.Msg{Subject: "wx.events." + appid(account) + ".subscribe", Data: []byte(body)}
}

// outstanding is how many events may wait for their acks.
const outstanding = 4000

// publish stores all events: as fast as it can, or at the load's rate.
func (p *producer) publish(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(outstanding))
	if err != nil {
		return err
	}
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.sent < p.Events {
		due := p.Events
		if p.Rate > 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case now := <-tick.C:
				due = min(p.Events, int(now.Sub(began).Seconds()*p.Rate))
			}
		}
		for p.sent < due && ctx.Err() == nil {
			if _, err := js.PublishMsgAsync(p.event(), jetstream.WithStallWait(time.Minute)); err != nil {
				return fmt.Errorf("publish an event: %w", err)
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
