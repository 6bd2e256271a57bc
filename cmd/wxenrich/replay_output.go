package main

import (
	"cmp"
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
)

// checkOutput refuses a subject that no stream listens to, where records would
// wait for ever, and one whose stream is for something else.
func (o *office) checkOutput(ctx context.Context, account *config.Account, subject string) error {
	if subject == "" {
		return nil
	}
	if _, err := events.ParseTemplate(subject, "appid", "openid", "unionid", "type"); err != nil {
		return usage("--output-subject: %w", err)
	}
	filter := subjectFilter(subject, "{appid}", account.AppID)
	taken := o.notForRecords(account)
	streams := o.js.StreamNames(ctx, jetstream.WithStreamListSubject(filter))
	found, wrong := false, error(nil)
	for name := range streams.Name() { // all that take any of it, where it has wildcards
		found = true
		if what := taken[name]; what != "" {
			wrong = usage("--output-subject %s: stream %s takes it, which is for %s", subject, name, what).
				hint("records need a subject, and a stream, of their own")
		}
	}
	if err := cmp.Or(streams.Err(), wrong); err != nil {
		return err
	}
	if !found {
		return failed("no stream listens to %s", filter).hint("nats stream add WX_REPLAYED --subjects %q --defaults", filter)
	}
	return nil
}

// notForRecords says what streams are for that must not hold records: in an input
// each would be an event, and looked up again.
func (o *office) notForRecords(account *config.Account) map[string]string {
	taken := make(map[string]string)
	for i := -1; i < len(o.cfg.Accounts); i++ {
		a := account
		if i >= 0 {
			a = &o.cfg.Accounts[i]
		}
		taken[expandAppID(o.cfg.Crawls.Stream, a.AppID)] = "lists of followers"
		taken[expandAppID(o.cfg.Erase.Stream, a.AppID)] = "notices of who is erased"
		taken[expandAppID(o.cfg.Dead.Stream, a.AppID)] = "dead letters"
		taken[a.Resolve().Stream] = "the events of " + a.AppID
	}
	return taken
}
