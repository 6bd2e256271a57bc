package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// examineDurable looks at an account's durable, and at what its lane may do.
func (d *doctor) examineDurable(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream, a *config.Account, found *layout) {
	r := a.Resolve()
	d.tryLane(a, found.streams[r.Stream].AllowDirect)
	about := "durable " + r.Durable + " of stream " + r.Stream
	_, present := found.streams[r.Stream]
	if !present && events.Manage(d.cfg.Manage) != events.Create {
		d.say(broken, about, "does not exist, and manage is "+d.cfg.Manage, d.addDurable(a))
	}
	if !present || !d.mayAsk(broken, "the lane could not find its durable", "CONSUMER.INFO.%s.%s", r.Stream, r.Durable) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	var info *jetstream.ConsumerInfo
	c, err := js.Consumer(ctx, r.Stream, r.Durable)
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		var pushing jetstream.PushConsumer
		if pushing, err = js.PushConsumer(ctx, r.Stream, r.Durable); err == nil {
			info = pushing.CachedInfo()
		}
	} else if err == nil {
		info = c.CachedInfo()
	}
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		d.missingDurable(ctx, js, a, about, found)
		return
	case err != nil:
		d.say(broken, about, nc.Explain(err).Error(), "")
		return
	}
	needs, err := laneNeeds(d.cfg, a)
	if err != nil {
		d.say(broken, "configuration", err.Error(), "")
		return
	}
	needs.Replicas = found.streams[r.Stream].Replicas
	d.tell(plan.Durable(needs, info))
	if m, known := d.mark(ctx, a, found); known && info.AckFloor.Stream < m.Floor {
		d.say(bad, about, fmt.Sprintf("it has fallen behind: all is acknowledged up to %s, and was up to %s before it was made anew or restored",
			grouped(info.AckFloor.Stream), grouped(m.Floor)), "nothing: what it delivers again is looked for among the answers, and not answered twice")
	}
	if d.clean(about) {
		d.say(fine, about, fmt.Sprintf("%s events wait, %s are in hand", grouped(info.NumPending), grouped(uint64(info.NumAckPending))), "")
	}
}

// mark is how far the account's replicas say that they have come on the stream
// that there is now; false if they have not.
func (d *doctor) mark(ctx context.Context, a *config.Account, found *layout) (m pipeline.Mark, known bool) {
	if d.state == nil {
		return m, false
	}
	r := a.Resolve()
	m, known = pipeline.ReadMark(ctx, d.state, a.AppID, r.Durable)
	return m, known && m.Born.Equal(found.born[r.Stream])
}

// missingDurable says whether one can be made.
func (d *doctor) missingDurable(ctx context.Context, js jetstream.JetStream, a *config.Account, about string, found *layout) {
	r := a.Resolve()
	if events.Manage(d.cfg.Manage) != events.Create {
		d.say(broken, about, "does not exist, and manage is "+d.cfg.Manage, d.addDurable(a))
		return
	}
	subject := fmt.Sprintf("CONSUMER.CREATE.%s.%s", r.Stream, r.Durable)
	if len(r.Subjects) == 1 {
		subject += "." + r.Subjects[0]
	}
	if !d.mayAsk(broken, "the durable does not exist and is to be made", "%s", subject) {
		d.say(broken, about, "does not exist, and this user may not make it", d.addDurable(a))
		return
	}
	if m, known := d.mark(ctx, a, found); known && m.Floor > 0 {
		d.say(told, about, fmt.Sprintf(`is gone; "wxenrich run" makes it anew behind %s, up to which all is answered`, grouped(m.Floor)), "")
		return
	}
	var held uint64
	if s, err := js.Stream(ctx, r.Stream); err == nil {
		for _, filter := range r.Subjects {
			if info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter)); err == nil {
				for _, n := range info.State.Subjects {
					held += n
				}
			}
		}
	}
	if held > 0 && a.Input.Start == "" {
		d.say(bad, about, fmt.Sprintf("does not exist, and %s events wait: \"wxenrich run\" refuses to guess, unless the bucket knows how far they are answered", grouped(held)),
			"set input.start to all, new, or a time")
		return
	}
	d.say(told, about, `does not exist yet; "wxenrich run" makes it`, "")
}

// addDurable is the command that makes the account's durable.
func (d *doctor) addDurable(a *config.Account) string {
	needs, err := laneNeeds(d.cfg, a)
	if err != nil {
		return "" // said elsewhere
	}
	r := a.Resolve()
	return plan.AddDurable(needs, r.Stream, r.Durable, a.Input.Start)
}

// tryLane tries what the lane of an account does all day.
func (d *doctor) tryLane(a *config.Account, direct bool) {
	r := a.Resolve()
	d.mayAsk(broken, "nothing could be pulled", "CONSUMER.MSG.NEXT.%s.%s", r.Stream, r.Durable)
	d.mayAck(r.Stream, r.Durable)
	d.mayAsk(told, "of 32 accounts and more each looks at its durable by itself, which takes more processor time", "CONSUMER.LIST.%s", r.Stream)
	vars := events.Vars{AppID: a.AppID, OpenID: "doctor", UnionID: "doctor", Type: "subscribe", Reason: string(events.Unresolved)}
	const past = "answers beyond the duplicate window could not be looked for: after an outage events would wait"
	d.mayAsk(bad, past, "STREAM.NAMES")
	type place struct{ what, stream, subject string }
	var places []place
	for _, o := range d.cfg.Outputs {
		places = append(places, place{"no record could be stored", o.Stream, o.Subject})
	}
	places = append(places, place{"no dead letter could be stored", d.cfg.Dead.Stream, d.cfg.Dead.Subject})
	for _, to := range places {
		if t, err := events.ParseTemplate(to.subject, templateNames...); err == nil {
			d.mayStore(broken, to.what, t.Expand(vars))
		}
		stream := expandAppID(to.stream, a.AppID)
		d.mayAsk(bad, past, "CONSUMER.CREATE.%s.doctor.%s", stream, subjectFilter(to.subject, "{appid}", a.AppID))
		d.mayAsk(bad, past, "CONSUMER.MSG.NEXT.%s.doctor", stream)
	}
	get := "STREAM.MSG.GET.%s"
	if direct {
		get = "DIRECT.GET.%s"
	}
	d.mayAsk(told, "nobody could tell how old the oldest event is", get, r.Stream)
}
