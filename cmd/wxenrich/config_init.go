package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

func newConfigInitCommand(a *app) *cobra.Command {
	s := config.Starter{SecretFile: "wx-secret", URL: natsconn.DefaultURL, StoreDir: "wxenrich-data"}
	var output string
	var force, yes bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a commented configuration file",
		Long: `Asks, on a terminal, for what the flags do not say, and writes a file with every
choice explained. An existing file is kept unless --force is given.`,
		Example: `  wxenrich config init
  wxenrich config init --appid wx0123456789abcdef --format json --embedded --yes
  wxenrich config init --appid wx0123456789abcdef --output -`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := os.Stat(output); err == nil && !force && output != "-" {
				return alreadyThere(output) // before anything is asked
			}
			if a.inTTY && !yes {
				if err := ask(a, c, &s); err != nil {
					return err
				}
			}
			if s.AppID == "" {
				return usage("--appid is missing").hint("it is on the account's page at mp.weixin.qq.com, beginning with wx")
			}
			if !events.ValidAppID(s.AppID) {
				return usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", s.AppID)
			}
			if _, err := events.ParseFormat(s.Format); err != nil {
				return usage("--format %q: want msgpack or json", s.Format)
			}
			if config.LooksSecret(s.SecretFile) {
				return usage("--secret-file seems to hold the secret itself: want the name of a file that holds it")
			}
			text, err := s.Write()
			if err != nil {
				return err
			}
			return writeStarter(a, output, text, force, s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.AppID, "appid", "", "AppID of the account")
	f.StringVar(&s.SecretFile, "secret-file", s.SecretFile, "file that holds the AppSecret")
	f.StringVar(&s.Format, "format", string(events.Msgpack), "encoding of the records: msgpack or json")
	f.BoolVar(&s.Embedded, "embedded", false, "run a JetStream server inside the process")
	f.StringVar(&s.URL, "server", s.URL, "NATS server, when not --embedded")
	f.StringVarP(&output, "output", "o", config.DefaultFile, "file to write, - for standard output")
	f.BoolVarP(&force, "force", "f", false, "replace an existing file")
	f.BoolVarP(&yes, "yes", "y", false, "ask nothing")
	register(c, "format", string(events.Msgpack), string(events.JSON))
	return c
}

// ask fills what no flag has said; an empty answer keeps what stands there.
func ask(a *app, c *cobra.Command, s *config.Starter) error {
	in := bufio.NewScanner(a.in)
	question := func(flag, text string, value *string) error {
		if c.Flags().Changed(flag) {
			return nil
		}
		fmt.Fprintf(a.err, "%s [%s]: ", text, *value)
		if !in.Scan() {
			return errors.Join(in.Err(), io.ErrUnexpectedEOF)
		}
		if answer := strings.TrimSpace(in.Text()); answer != "" {
			*value = answer
		}
		return nil
	}
	embedded := "no"
	for _, q := range []struct {
		flag, text string
		value      *string
	}{
		{"appid", "AppID of the account", &s.AppID},
		{"secret-file", "File that holds its AppSecret", &s.SecretFile},
		{"format", "Records as msgpack or json", &s.Format},
		{"embedded", "JetStream server inside the process, yes or no", &embedded},
	} {
		if err := question(q.flag, q.text, q.value); err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
	}
	if strings.HasPrefix(strings.ToLower(embedded), "y") {
		s.Embedded = true
	}
	if s.Embedded {
		return nil
	}
	return question("server", "NATS server", &s.URL)
}

func writeStarter(a *app, output, text string, force bool, s config.Starter) error {
	if output == "-" {
		_, err := io.WriteString(a.out, text)
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(output, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(output)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "wrote %s\nnext: put the AppSecret into %s (chmod 600), then\n  wxenrich config check\n  wxenrich run\n", output, s.SecretFile)
	return err
}

func alreadyThere(output string) error {
	return usage("%s exists already", output).hint("--force replaces it, --output writes elsewhere")
}
