package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// streams is what the process is connected to.
type streams struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	inTTY    bool // somebody can be asked
}

// app is what every command shares.
type app struct {
	streams
	configPath string
	logLevel   string
	logFormat  string
}

func (a *app) flags(f *pflag.FlagSet) {
	f.StringVarP(&a.configPath, "config", "c", "", "configuration file (default "+config.DefaultFile+" if it exists)")
	f.StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error (default from the configuration: info)")
	f.StringVar(&a.logFormat, "log-format", "", "text or json (default from the configuration: text)")
}

// load reads the configuration; needAccounts refuses one without any.
func (a *app) load(needAccounts bool) (*config.Config, error) {
	cfg, err := config.Load(config.Options{Path: a.configPath, Environ: a.environ, Accounts: needAccounts})
	if err != nil {
		return nil, usage("%w", err).hint("run \"wxenrich config check\" after a change; \"wxenrich config init\" writes a new file")
	}
	return cfg, nil
}

// logger writes to standard error as the flags say, else the configuration,
// which may be nil.
func (a *app) logger(cfg *config.Config) (*slog.Logger, error) {
	if cfg == nil {
		cfg = config.Default()
	}
	level, format := cfg.Log.Level, cfg.Log.Format
	if a.logLevel != "" {
		level = a.logLevel
	}
	if a.logFormat != "" {
		format = a.logFormat
	}
	var o slog.HandlerOptions
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level %q: want debug, info, warn or error", level)
	}
	o.Level = l
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, &o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(a.err, &o)), nil
	}
	return nil, usage("--log-format %q: want text or json", format)
}

// getenv reads the environment that the app was given, so that tests need not
// change the process's.
func (a *app) getenv(name string) string {
	value := ""
	for _, kv := range a.environ {
		if n, v, ok := strings.Cut(kv, "="); ok && n == name {
			value = v // the last one counts, as for os/exec
		}
	}
	return value
}

// say tells a person something beside what the command prints.
func (a *app) say(format string, args ...any) {
	_ = term.Of(a.err, a.getenv).Text("", fmt.Sprintf(format, args...)) // nobody can be told that it failed
}

// print prints a sentence that is what the command has to say.
func (a *app) print(format string, args ...any) {
	_ = term.Of(a.out, a.getenv).Text("", fmt.Sprintf(format, args...))
}

// faults are the single things wrong with the configuration, if that is what
// err is about.
func faults(err error) config.Faults {
	f, _ := errors.AsType[config.Faults](err)
	return f
}

// completeAppIDs offers the accounts of the configuration.
func (a *app) completeAppIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, _ := config.Load(config.Options{Path: a.configPath, Environ: a.environ})
	return cfg.AppIDs(), cobra.ShellCompDirectiveNoFileComp
}

// appidFlag adds --appid with completion.
func (a *app) appidFlag(c *cobra.Command, appid *string, doc string) {
	c.Flags().StringVar(appid, "appid", "", doc)
	if err := c.RegisterFlagCompletionFunc("appid", a.completeAppIDs); err != nil {
		panic(err)
	}
}

// printJSON prints one object for scripts.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.out).Encode(v) }
