package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, s streams) int {
	a := &app{streams: s}
	root := newRoot(a)
	root.SetArgs(args)
	return report(ctx, root.ExecuteContext(ctx), term.Of(s.err, a.getenv))
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "wxenrich",
		Short: "WeChat openids in, enriched follower profiles out, on NATS JetStream",
		Long: `wxenrich takes events with an openid from a NATS JetStream stream, asks WeChat
for the followers' profiles with the fewest calls, and puts one record for each
event on another stream.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 nothing to do
or not found, 4 an audit has found events missing or doubled, 130 interrupted
before the end. What goes on until it is interrupted, as the service, tail and
status --watch do, ends so with 0.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	foldHelp(root, term.Of(a.out, a.getenv))
	a.flags(root.PersistentFlags())
	register(root, "log-level", "debug", "info", "warn", "error")
	register(root, "log-format", "text", "json")
	group(root)
	root.AddCommand(
		newRunCommand(a),
		newDemoCommand(a),
		newDoctorCommand(a),
		newAuditCommand(a),
		newBenchCommand(a),
		newBackfillCommand(a),
		newConfigCommand(a),
		newGatewayCommand(a),
		newDeadCommand(a),
		newEraseCommand(a),
		newExplainCommand(a),
		newHoldCommand(a),
		newResumeCommand(a),
		newProbeCommand(a),
		newJobsCommand(a),
		newLookupCommand(a),
		newPublishCommand(a),
		newSchemaCommand(a),
		newReplayCommand(a),
		newSimulateCommand(a),
		newStatusCommand(a),
		newTailCommand(a),
		newVersionCommand(a),
	)
	offerNoFiles(root)
	return root
}

// group makes a command that only holds others: alone it prints its help, and
// a word that is none of them is a mistake with a suggestion.
func group(c *cobra.Command) {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := usage("unknown command %q for %q", args[0], c.CommandPath())
		var names []string
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				names = append(names, sub.Name())
			}
		}
		if near := suggest.Nearest(args[0], names); near != "" {
			return err.hint("did you mean %s?", near)
		}
		return err.hint("run %q for the commands", c.CommandPath()+" --help")
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// arguments wraps a rule of cobra's so that breaking it is exit code 2.
func arguments(rule cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := rule(c, args); err != nil {
			return usage("%w", err).hint("usage: %s", c.UseLine())
		}
		return nil
	}
}

func flagError(c *cobra.Command, err error) error {
	e := usage("%w", err)
	if missing, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := suggest.Nearest(missing.GetSpecifiedName(), names); near != "" {
			return e.hint("did you mean --%s?", near)
		}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if want := wanted[bad.GetFlag().Value.Type()]; want != "" {
			e = usage("--%s %q: want %s", bad.GetFlag().Name, bad.GetValue(), want)
		}
	}
	return e.hint("run %q for the flags", c.CommandPath()+" --help")
}

// wanted says what a flag's type is, where the package's own words are about code.
var wanted = map[string]string{
	"int": "a number", "intSlice": "a number, or several separated by commas", "uint64": "a number, 0 or more", "float64": "a number",
	"duration": "a duration such as 10m", "bool": "true or false",
}

// files are the flags whose values are files or folders.
var files = []string{
	"config", "creds", "nkey", "tlsca", "tlscert", "tlskey", "secret-file", "file", "output", "dir", "cpuprofile", "memprofile",
}

// offerNoFiles has completion offer nothing for the values of a command's other flags,
// in place of the files that happen to be there.
func offerNoFiles(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, known := c.GetFlagCompletionFunc(f.Name); known || slices.Contains(files, f.Name) {
			return
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions); err != nil {
			panic(fmt.Sprintf("completion of --%s: %v", f.Name, err))
		}
	})
	for _, sub := range c.Commands() {
		offerNoFiles(sub)
	}
}

// register completes a flag's value from a closed set; where it may be a list, with
// commas, the last one of it.
func register(c *cobra.Command, flag string, values ...string) {
	f := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if known := c.Flag(flag); known != nil && known.Value.Type() == "stringSlice" {
		f = func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			said := begun[:strings.LastIndexByte(begun, ',')+1]
			var rest []string
			for _, v := range values {
				if !slices.Contains(strings.Split(said, ","), v) {
					rest = append(rest, said+v)
				}
			}
			return rest, cobra.ShellCompDirectiveNoFileComp
		}
	}
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("completion of --%s: %v", flag, err))
	}
}
