package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

// tailFlags is what the command line says.
type tailFlags struct {
	nats          *natsconn.Settings
	appid, openid string
	since         string
	limit         int
	json          bool
}

func newTailCommand(a *app) *cobra.Command {
	var t tailFlags
	c := &cobra.Command{
		Use:   "tail",
		Short: "Print records as they come",
		Long: `Prints the records of the output stream, the first where output is a list, new
ones or those since a time, until --limit is reached or it is interrupted. It
reads beside all other consumers and takes nothing away from them.`,
		Example: `  wxenrich tail
  wxenrich tail --since 10m --appid wx0123456789abcdef --limit 20
  wxenrich tail --since all --json --limit 1`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			err := tail(c.Context(), a, t)
			if c.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // being interrupted is how it ends
			}
			return err
		},
	}
	t.nats = natsFlags(c)
	a.appidFlag(c, &t.appid, "only records of this account")
	f := c.Flags()
	f.StringVar(&t.openid, "openid", "", "only records of this openid")
	f.StringVar(&t.since, "since", "", "begin with records stored since: 10m, 2d, 2026-01-31T08:00:00+08:00, or all")
	f.IntVarP(&t.limit, "limit", "n", 0, "stop after so many records")
	f.BoolVar(&t.json, "json", false, "print JSON, one record in a line, whatever the stream holds")
	return c
}

func tail(ctx context.Context, a *app, t tailFlags) error {
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	oc, err := t.consumer(cfg, time.Now())
	if err != nil {
		return err
	}
	stream, err := t.stream(cfg)
	if err != nil {
		return err
	}
	nc, js, err := a.dialStreams(ctx, t.nats, cfg, "tail")
	if err != nil {
		return err
	}
	defer nc.Close()
	missing := func(err error) error {
		return missingStream(nc.Explain(err), "there is no stream "+stream, stream, []string{cfg.Outputs[0].Subject})
	}
	consumer, err := js.OrderedConsumer(ctx, stream, oc)
	if err != nil {
		return missing(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return missing(err)
	}
	defer messages.Stop()
	print := t.printer(a)
	for n := 0; t.limit <= 0 || n < t.limit; {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return missing(err)
		}
		rec, err := events.ParseRecord(m.Headers(), m.Data())
		switch {
		case err != nil:
			// What is not a record may be in a stream that others share.
			a.say("skipped a message on %s: %v", m.Subject(), err)
		case t.wants(&rec):
			if err := print(&rec); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

// consumer says where to begin and what to have the server filter.
func (t tailFlags) consumer(cfg *config.Config, now time.Time) (jetstream.OrderedConsumerConfig, error) {
	oc := jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{t.filter(cfg.Outputs[0].Subject)},
		DeliverPolicy:  jetstream.DeliverNewPolicy,
	}
	switch t.since {
	case "":
	case "all":
		oc.DeliverPolicy = jetstream.DeliverAllPolicy
	default:
		start, err := instant("--since", t.since, now)
		if err != nil {
			return oc, err.hint("or all")
		}
		oc.DeliverPolicy, oc.OptStartTime = jetstream.DeliverByStartTimePolicy, &start
	}
	return oc, nil
}

// filter is the output's subject with what we look for in it, and a wildcard
// for every other token that varies.
func (t tailFlags) filter(template string) string {
	var known []string
	if t.appid != "" {
		known = append(known, "{appid}", t.appid)
	}
	if t.openid != "" {
		known = append(known, "{openid}", t.openid)
	}
	return subjectFilter(template, known...)
}

// stream is the output stream, of one account where each has its own.
func (t tailFlags) stream(cfg *config.Config) (string, error) {
	name := cfg.Outputs[0].Stream
	if !strings.Contains(name, "{appid}") {
		return name, nil
	}
	account, err := oneAccount(cfg, t.appid)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(name, "{appid}", account.AppID), nil
}

// wants filters again: a template need not have the variables in it.
func (t tailFlags) wants(r *events.Record) bool {
	return (t.appid == "" || r.Event.AppID == t.appid) && (t.openid == "" || r.Event.OpenID == t.openid)
}
