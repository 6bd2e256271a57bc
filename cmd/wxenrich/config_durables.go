package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

func newConfigDurablesCommand(a *app) *cobra.Command {
	var readers []string
	c := &cobra.Command{
		Use:   "durables",
		Short: "Print what NATS users must not do with durables, for accounts.conf",
		Long: `Prints the file durables.conf that deploy/nats/accounts.conf includes: what moves
the durables of the configured accounts, and those that read the outputs (--reader),
which NATS is to deny to all but their owners. NATS knows no beginnings of names, so
each is named: print it again when accounts have come, and reload the server.`,
		Example: "  wxenrich config durables\n  wxenrich config durables --reader crm --reader warehouse",
		Args:    arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load(true)
			if err != nil {
				return err
			}
			for _, name := range readers {
				if name == "" || strings.ContainsAny(name, ". \t*>/\\\"") {
					return usage("--reader %q: want the name of a durable", name)
				}
			}
			_, err = io.WriteString(a.out, durablesConf(cfg, readers))
			return err
		},
	}
	c.Flags().StringSliceVar(&readers, "reader", nil, "a consumer's durable on the outputs; may be repeated")
	return c
}

// durablesConf is the file for the server's configuration.
func durablesConf(cfg *config.Config, readers []string) string {
	var ours, theirs []string
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		r := a.Resolve()
		ours = append(ours, moves(r.Stream, r.Durable)...)
		for _, o := range cfg.Outputs {
			for _, name := range readers {
				theirs = append(theirs, moves(expandAppID(o.Stream, a.AppID), name)...)
			}
		}
	}
	theirs = unique(theirs)
	by := strings.Join(append([]string{"wxenrich config durables"}, readers...), " --reader ")
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by \"%s\". What moves a durable: to change,\n# delete, or pull from it. accounts.conf denies it to all but the owner.\n", by)
	list := func(name string, subjects []string) {
		fmt.Fprintf(&b, "%s: [\n", name)
		for _, s := range subjects {
			fmt.Fprintf(&b, "  %q\n", s)
		}
		b.WriteString("]\n")
	}
	list("WX_DURABLES", unique(append(ours, theirs...)))
	b.WriteString("# The same for the service, which owns its durables.\n")
	list("WX_READERS", theirs)
	return b.String()
}

// moves are the requests that change, delete, or pull from a durable.
func moves(stream, durable string) []string {
	of := stream + "." + durable
	return []string{
		"$JS.API.CONSUMER.CREATE." + of, "$JS.API.CONSUMER.CREATE." + of + ".>",
		"$JS.API.CONSUMER.DELETE." + of, "$JS.API.CONSUMER.MSG.NEXT." + of,
	}
}

// unique keeps the first of each.
func unique(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
