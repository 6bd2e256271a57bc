package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// doctorFlags is what the command line says.
type doctorFlags struct {
	nats  *natsconn.Settings
	appid string
	json  bool
}

func newDoctorCommand(a *app) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check all that the service stands on, and say how to mend it",
		Long: `Checks the configuration against the real server and the real accounts: NATS,
JetStream, what its user may do, the clock, streams, durables and the bucket;
then the API host, the token, the IP whitelist and the quota of each account;
and what "wxenrich gateway" needs, where WeChat pushes for one.
What fails stops the service or loses events; a warning is about events that
would be answered twice or late; a note is good to know.

It makes and changes nothing, and may run beside the service. It spends one call
for a token and one for the quota for each account. Where the server does not
say what the user may do it finds out with requests that are refused; one of
them is an empty message on the subjects of records and dead letters, which no
stream stores. Exit code 1 when something fails.`,
		Example: `  wxenrich doctor
  wxenrich doctor --appid wx0123456789abcdef --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c.Context(), a, f) },
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "only this account (default all that are configured)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func runDoctor(ctx context.Context, a *app, f doctorFlags) error {
	cfg, err := a.load(true)
	if err != nil {
		return err
	}
	if f.appid != "" {
		account, known := cfg.ByAppID(f.appid)
		if !known {
			return usage("--appid: the configuration has no account %s", f.appid).hint("it has %s", strings.Join(cfg.AppIDs(), ", "))
		}
		cfg.Accounts = []config.Account{*account}
	}
	d := &doctor{app: a, cfg: cfg}
	for _, w := range cfg.Warnings {
		d.say(bad, "configuration", w.Error(), "")
	}
	if len(cfg.Warnings) == 0 {
		d.say(fine, "configuration", fmt.Sprintf("%d accounts, no warnings", len(cfg.Accounts)), "")
	}
	if err := d.examineNATS(ctx, f.nats); err != nil {
		return err
	}
	d.examineGateway()
	d.examineAccounts(ctx)
	if ctx.Err() != nil {
		return context.Canceled
	}
	if f.json {
		err = a.printJSON(struct {
			OK     bool    `json:"ok"`
			Checks []check `json:"checks"`
		}{d.count(broken) == 0, d.checks})
	} else {
		err = d.print(term.Of(a.out, a.getenv))
	}
	if n := d.count(broken); err == nil && n > 0 {
		err = failed("%d of %d checks failed", n, len(d.checks))
	}
	return err
}

// doctor goes through the checks and writes down what each came to.
type doctor struct {
	app    *app
	cfg    *config.Config
	checks []check
	rights rights
	state  jetstream.KeyValue // the bucket; nil if it cannot be read

	consumers int // that the NATS account allows a stream; 0 if it says nothing, or nobody knows
}

// check is one thing that was looked at.
type check struct {
	Verdict verdictWord `json:"verdict"`
	About   string      `json:"about"`
	Said    string      `json:"said"`
	Fix     string      `json:"fix,omitempty"`
}

// verdictWord is what came of a check.
type verdictWord string

const (
	fine   verdictWord = "ok"
	told   verdictWord = "note"
	bad    verdictWord = "warn"
	broken verdictWord = "fail"
)

func (d *doctor) say(v verdictWord, about, said, fix string) {
	d.checks = append(d.checks, check{v, about, said, fix})
}

// tell writes findings down.
func (d *doctor) tell(findings []plan.Finding) {
	words := map[plan.Severity]verdictWord{plan.Refuse: broken, plan.Warn: bad, plan.Info: told}
	for _, f := range findings {
		d.say(words[f.Severity], f.About, strings.TrimPrefix(f.String(), f.About+": "), f.Fix)
	}
}

// clean reports whether nothing worse than a note was written about a thing.
func (d *doctor) clean(about string) bool {
	return !slices.ContainsFunc(d.checks, func(c check) bool { return c.About == about && (c.Verdict == bad || c.Verdict == broken) })
}

func (d *doctor) count(v verdictWord) (n int) {
	for _, c := range d.checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// print shows a line for each check, and below it what to do.
func (d *doctor) print(s term.Screen) error {
	var b strings.Builder
	for _, c := range d.checks {
		lines := s.Wrap("      ", c.About+": "+c.Said)
		if about, ok := strings.CutPrefix(strings.TrimLeft(lines[0], " "), term.Clean(c.About)+":"); ok {
			lines[0] = s.Bold(term.Clean(c.About)) + ":" + about
		}
		lines[0] = fmt.Sprintf("%-4s  %s", c.Verdict, strings.TrimLeft(lines[0], " "))
		b.WriteString(strings.Join(lines, "\n") + "\n")
		if c.Fix != "" {
			fmt.Fprintf(&b, "      %s\n", term.Clean(c.Fix))
		}
	}
	fmt.Fprintf(&b, "%d fine, %d notes, %d warnings, %d failed\n", d.count(fine), d.count(told), d.count(bad), d.count(broken))
	_, err := io.WriteString(s, b.String())
	return err
}
