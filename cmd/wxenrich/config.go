package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

func newConfigCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Write, check or show the configuration",
	}
	group(c)
	c.AddCommand(newConfigCheckCommand(a), newConfigInitCommand(a), newConfigShowCommand(a), newConfigDurablesCommand(a))
	return c
}

func newConfigCheckCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the configuration",
		Long: `Reads the file and the environment as "run" would and reports all faults at
once. Exit code 2 if there is any; warnings alone are 0.`,
		Example: "  wxenrich config check\n  wxenrich config check --config prod.yaml --json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(config.Options{Path: a.configPath, Environ: a.environ, Accounts: true})
			if asJSON {
				return printCheck(a, cfg, faults(err))
			}
			for _, w := range cfg.Warnings {
				a.say("warning: %s", w.Error())
			}
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprintf(a.out, "fine: %d accounts, %d warnings\n", len(cfg.Accounts), len(cfg.Warnings))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printCheck prints faults and warnings for a program; the exit code is the
// same as for a person.
func printCheck(a *app, cfg *config.Config, f config.Faults) error {
	err := a.printJSON(struct {
		OK       bool           `json:"ok"`
		Faults   config.Faults  `json:"faults"`
		Warnings []config.Fault `json:"warnings"`
	}{len(f) == 0, append(config.Faults{}, f...), append([]config.Fault{}, cfg.Warnings...)})
	if err == nil && len(f) > 0 {
		err = usage("%d faults", len(f))
	}
	return err
}
