package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/events/contract"
)

func newSchemaCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the wire contract for programs in any language",
		Long: `Prints what goes in and what comes out as documents for programs: JSON Schemas,
or one AsyncAPI document with subjects, headers and encodings too. The schemas
hold for JSON and for msgpack alike.`,
	}
	group(c)
	c.AddCommand(newSchemaJSONCommand(a), newSchemaAsyncAPICommand(a))
	return c
}

func newSchemaJSONCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "json [event|record|record-headers|dead-letter|erased]",
		Short: "Print JSON Schemas: one, or all of them in one document",
		Long: `Prints a JSON Schema (draft 2020-12), or all of them under "$defs":

  event           what goes in, as JSON or msgpack
  record          what comes out, as JSON or msgpack
  record-headers  the headers of a record
  dead-letter     the headers of a dead letter, whose body is the event's own
  erased          a notice that a person is erased`,
		Example:   "  wxenrich schema json record\n  wxenrich schema json",
		Args:      arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: contract.Names(),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				data, err := contract.Schema(args[0])
				if err != nil {
					return err
				}
				_, err = a.out.Write(data)
				return err
			}
			all := struct {
				Schema string                     `json:"$schema"`
				Defs   map[string]json.RawMessage `json:"$defs"`
			}{"https://json-schema.org/draft/2020-12/schema", map[string]json.RawMessage{}}
			for _, name := range contract.Names() {
				data, err := contract.Schema(name)
				if err != nil {
					return err
				}
				all.Defs[name] = data
			}
			enc := json.NewEncoder(a.out)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			return enc.Encode(all)
		},
	}
}

func newSchemaAsyncAPICommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "asyncapi",
		Short: "Print the AsyncAPI 3 document: subjects, headers, encodings",
		Long: `Prints the AsyncAPI 3 document, as JSON: the channels with their subjects and
streams, each form of a message with its headers, and what acknowledging and
repeating mean.`,
		Example: "  wxenrich schema asyncapi",
		Args:    arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(contract.AsyncAPI())
			return err
		},
	}
}
