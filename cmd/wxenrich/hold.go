package main

import (
	"context"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
)

// holdFlags is what the command line of hold, resume and probe says.
type holdFlags struct {
	nats  *natsconn.Settings
	appid string
	why   string
	last  time.Duration
	wait  time.Duration
	json  bool
}

// holdReport is what --json says after one of the commands.
type holdReport struct {
	AppID string          `json:"appid"`
	Held  bool            `json:"held"` // as it then is
	Until time.Time       `json:"until,omitzero"`
	Holds []pipeline.Hold `json:"holds,omitempty"` // that there are, or that were ended
}

func newHoldCommand(a *app) *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "hold",
		Short: "Stop an account in all replicas, until resume",
		Long: `Hold stops the look-ups of one account in all replicas: nothing is pulled, what
is in hand goes back, and no event is lost. "wxenrich resume" ends it, or the
time of --for. Exit code 2 when nobody knows the account, as of resume and probe.`,
		Example: `  wxenrich hold --appid wx0123456789abcdef --why rotation
  wxenrich hold --appid wx0123456789abcdef --for 30m`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("for") && f.last <= 0 {
				return usage("--for %s: want more than 0", f.last)
			}
			return f.do(c.Context(), a, "hold", f.hold)
		},
	}
	f.register(a, c)
	c.Flags().StringVar(&f.why, "why", "", "reason to show to others")
	c.Flags().DurationVar(&f.last, "for", 0, "go on by itself after so long, for example 30m (default never)")
	return c
}

func newResumeCommand(a *app) *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "resume",
		Short: "Let an account go on in all replicas, whatever holds it",
		Long: `Resume ends an account's hold in all replicas at once, whether a person asked for
it or WeChat's answers brought it about, for example after the quota was raised
or cleared. If the cause is still there the account is on hold again after its
next calls. Exit code 3 when nothing was known to hold it.`,
		Example: `  wxenrich resume --appid wx0123456789abcdef`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.do(c.Context(), a, "resume", f.resume)
		},
	}
	f.register(a, c)
	return c
}

func newProbeCommand(a *app) *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "probe",
		Short: "Have an account on hold tried now instead of when it is due",
		Long: `Probe has one replica make one call for an account on hold, now instead of when
it is due, and says what came of it. If WeChat answers, the account goes on in
all replicas; else it stays on hold, as it does if a person asked for the hold,
which "wxenrich resume" ends. Exit code 1 when it stays so, 3 when nothing holds
the account.`,
		Example: `  wxenrich probe --appid wx0123456789abcdef`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.wait <= 0 {
				return usage("--wait %s: want more than 0", f.wait)
			}
			return f.do(c.Context(), a, "probe", f.probe)
		},
	}
	f.register(a, c)
	c.Flags().DurationVar(&f.wait, "wait", time.Minute, "how long to wait for what comes of it")
	return c
}

func (f *holdFlags) register(a *app, c *cobra.Command) {
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "the account (default the only one configured)")
	c.Flags().BoolVar(&f.json, "json", false, "print how the account then stands as JSON")
}

// do runs one of the commands on the account's board.
func (f *holdFlags) do(ctx context.Context, a *app, name string, then func(context.Context, *app, *pipeline.Board, string) error) error {
	return a.withJobs(ctx, f.nats, name, func(o *office) error {
		account, err := o.account(ctx, f.appid)
		if err != nil {
			return err
		}
		return then(ctx, a, o.board, account.AppID)
	})
}

func (f *holdFlags) hold(ctx context.Context, a *app, board *pipeline.Board, appid string) error {
	var until time.Time
	if f.last > 0 {
		until = time.Now().Add(f.last)
	}
	if err := board.Hold(ctx, appid, whoAsks(), f.why, until); err != nil {
		return err
	}
	if f.json {
		return a.printJSON(holdReport{AppID: appid, Held: true, Until: until})
	}
	if until.IsZero() {
		a.print("%s is on hold until \"wxenrich resume --appid %s\"", appid, appid)
	} else {
		a.print("%s is on hold until %s", appid, until.Format(time.RFC3339))
	}
	return nil
}

// whoAsks is a name for the person at this machine.
func whoAsks() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}

func (f *holdFlags) resume(ctx context.Context, a *app, board *pipeline.Board, appid string) error {
	held, err := board.Resume(ctx, appid)
	if err != nil {
		return err
	}
	if f.json && len(held) > 0 {
		return a.printJSON(holdReport{AppID: appid, Holds: held})
	}
	for _, h := range held {
		a.print("%s goes on; it was on hold since %s: %s", appid, h.Since.Format(time.RFC3339), holdText(&h))
	}
	if len(held) == 0 {
		return nothing("%s was not on hold, as far as is written down; every replica is told to go on all the same", appid)
	}
	return nil
}

func (f *holdFlags) probe(ctx context.Context, a *app, board *pipeline.Board, appid string) error {
	before := board.Holds(appid)
	if len(before) > 0 && before[0].Reason == pipeline.HoldManual {
		if f.json {
			if err := a.printJSON(holdReport{AppID: appid, Held: true, Until: before[0].Until, Holds: before}); err != nil {
				return err
			}
		}
		return failed("%s stays on hold, and nobody is asked: %s wants it so", appid, before[0].By).hint("wxenrich resume --appid %s", appid)
	}
	if n, err := board.Probe(ctx, appid); err != nil {
		return err
	} else if n == 0 {
		return nothing("%s is not on hold", appid)
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	probes := func(hs []pipeline.Hold) (n int) {
		for _, h := range hs {
			n += h.Probes
		}
		return n
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return failed("nobody has tried %s within %s", appid, f.wait).hint("is a replica with this account running? its log says why it waits")
		}
		now := board.Holds(appid)
		if f.json && (len(now) == 0 || probes(now) > probes(before)) {
			if err := a.printJSON(holdReport{AppID: appid, Held: len(now) > 0, Holds: now}); err != nil {
				return err
			}
		}
		if len(now) == 0 {
			if f.json {
				return nil
			}
			a.print("%s is answered again and goes on", appid)
			return nil
		}
		if probes(now) > probes(before) {
			return failed("%s stays on hold: %s", appid, holdText(&now[0])).hint("%s", now[0].Hint)
		}
	}
}

// holdUntilText is a hold, and until when; empty for none.
func holdUntilText(h *pipeline.Hold) string {
	switch {
	case h == nil:
		return ""
	case h.Until.IsZero():
		return holdText(h) + ", until somebody ends it"
	}
	return holdText(h) + ", until it is tried at " + h.Until.Local().Format(time.RFC3339)
}

// holdText is a hold in one line.
func holdText(h *pipeline.Hold) string {
	s := h.Reason
	if h.Code != 0 {
		s += fmt.Sprintf(" (errcode %d)", h.Code)
	}
	if h.Detail != "" {
		s += ": " + term.Clean(h.Detail)
	}
	return s
}
