package main

import (
	"bufio"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/pipeline/dead"
)

func newDeadExportCommand(a *app) *cobra.Command {
	var f deadFlags
	c := &cobra.Command{
		Use:   "export [SEQ…]",
		Short: "Print dead letters as NDJSON, with all they hold",
		Long: `Prints dead letters as JSON, one in a line, oldest first: why each died, where its
event was, the producer's headers and payload (as text in "data", else as base64
in "data_base64"), and the event as the configuration reads it today. It changes
nothing. Exit code 3 when there are none.`,
		Example: `  wxenrich dead export
  wxenrich dead export --reason undecodable --since 2d`,
		RunE: func(c *cobra.Command, args []string) error {
			return f.withDead(c.Context(), a, "dead export", args, deadExport)
		},
	}
	f.register(a, c)
	return c
}

func deadExport(ctx context.Context, m *morgue) error {
	out := bufio.NewWriter(m.app.out)
	enc := json.NewEncoder(out)
	var failure error
	sum, err := m.read(ctx, true, func(_ dead.Place, l *dead.Letter) bool {
		failure = enc.Encode(newDeadJSON(l).withBody(l, m.decoder(l.AppID)))
		return failure == nil
	})
	if failure == nil {
		failure = out.Flush()
	}
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return err
	case sum.Read == 0:
		return m.none()
	}
	return nil
}
