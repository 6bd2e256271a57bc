package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

func newConfigShowCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force and who set each value",
		Long: `Prints every key with its effective value and its origin: default, a line of the
file, or an environment variable. Secrets are never printed.`,
		Example: "  wxenrich config show\n  wxenrich config show --json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load(false)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.out)
				e.SetIndent("", "  ")
				e.SetEscapeHTML(false)
				return e.Encode(cfg.Settings())
			}
			_, err = io.WriteString(a.out, cfg.YAML())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
