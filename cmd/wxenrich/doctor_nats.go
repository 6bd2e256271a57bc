package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
)

// doctorPatience is for one request.
const doctorPatience = 3 * time.Second

// examineNATS checks the server and what is on it. An error is the command
// line's or the configuration's.
func (d *doctor) examineNATS(ctx context.Context, flags *natsconn.Settings) error {
	settings, err := d.app.natsSettings(flags, d.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for _, problem := range exposed(settings, d.cfg) {
		d.say(bad, "NATS credentials", problem, "")
	}
	nc, err := natsconn.Connect(ctx, settings, "wxenrich doctor")
	if err != nil {
		fix := cmp.Or(tlsFix(err), "--server, --context or NATS_URL name another server; --creds, --nkey or --user say who you are")
		if d.cfg.NATS.Embedded {
			fix = `the server is inside "wxenrich run": start that`
		}
		d.say(broken, "NATS", err.Error(), fix)
		return nil
	}
	defer nc.Close()
	rtt, err := nc.RTT()
	if err != nil {
		d.say(broken, "NATS", err.Error(), "")
		return nil
	}
	d.say(fine, "NATS", fmt.Sprintf("nats-server %s at %s, %s away", nc.ConnectedServerVersion(), nc.ConnectedUrlRedacted(), rtt.Round(10*time.Microsecond)), "")
	if hears, err := nc.MayListen(); err != nil || !hears {
		inbox := nc.Opts.InboxPrefix + ".>"
		said := "listening to " + inbox + " is denied: no reply is heard"
		if err != nil {
			said = "listening to " + inbox + ": " + err.Error()
		}
		d.say(broken, "permissions", said, "set nats.inbox_prefix to the inbox that this user has, or give it that one: subscribe.allow in the server's configuration, or nsc edit user --allow-sub")
		return nil
	}
	js, err := nc.JetStream()
	if err != nil {
		return err
	}
	d.rights = newRights(nc, js)
	if d.jetStreamIsOn(ctx, js) {
		d.examineStreams(ctx, nc, js)
		d.sumUpRights()
	}
	return nil
}

func (d *doctor) jetStreamIsOn(ctx context.Context, js jetstream.JetStream) bool {
	if !d.mayAsk("", "", "INFO") {
		return true // no lane asks for it, and the streams will show
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	account, err := js.AccountInfo(ctx)
	if err != nil {
		d.say(broken, "JetStream", err.Error(), `start the server with "nats-server --jetstream", and allow it to this user's account`)
		return false
	}
	said := fmt.Sprintf("on, %d streams, %s MB on disk", account.Streams, grouped(account.Store>>20))
	if account.Limits.MaxStore > 0 {
		said += fmt.Sprintf(" of %s", grouped(uint64(account.Limits.MaxStore)>>20))
	}
	d.say(fine, "JetStream", said, "")
	d.consumers = max(0, account.Limits.MaxConsumers)
	return true
}

// How far the clocks may be apart. A lane tells ages by the server's; the day of
// the quota, holds and the age of pushes go by this machine's.
const (
	clockDoubt = time.Second
	clockLimit = 10 * time.Second
)

// examineClock compares the time that the server puts on an answer.
func (d *doctor) examineClock(ctx context.Context, js jetstream.JetStream, stream string) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	sent := time.Now()
	s, err := js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().TimeStamp.IsZero() {
		return // the stream's own check says why, or it is too old a server
	}
	took := time.Since(sent)
	d.judgeClock(s.CachedInfo().TimeStamp.Sub(sent.Add(took/2)), took/2)
}

// judgeClock is about a clock that is ahead of ours by so much, give or take.
func (d *doctor) judgeClock(ahead, give time.Duration) {
	off := max(ahead, -ahead) - give
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	v, fix := fine, ""
	switch {
	case off > clockLimit:
		v, fix = broken, "run NTP on both: the day of the quota, holds and the age of pushes go by this machine's clock"
	case off > clockDoubt:
		v, fix = bad, "run NTP on both machines"
	}
	d.say(v, "clock", fmt.Sprintf("the server is %s %s this machine, give or take %s",
		max(ahead, -ahead).Round(100*time.Microsecond), direction, give.Round(100*time.Microsecond)), fix)
}
