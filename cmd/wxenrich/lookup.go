package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// lookupFlags is what the command line says.
type lookupFlags struct {
	appid, api, lang      string
	secretFile, secretEnv string
	json                  bool
}

func newLookupCommand(a *app) *cobra.Command {
	var l lookupFlags
	c := &cobra.Command{
		Use:   "lookup OPENID…",
		Short: "Ask WeChat for openids, without any stream",
		Long: `Asks WeChat for the profiles, a hundred in a call, and prints the records that
events with these openids would become. When WeChat refuses a call for one of
its openids, each is asked for alone, to say which. What cannot be an openid is
reported and costs no call. Exit code 3 when nobody was found.`,
		Example: `  wxenrich lookup oABCDEFGHIJKLMNOPQRSTUVWXYZ0
  wxenrich lookup --appid wx0123456789abcdef --json oABCDEFGHIJKLMNOPQRSTUVWXYZ0
  wxenrich lookup --appid wx0123456789abcdef --secret-env WX_SECRET \
    --api http://127.0.0.1:8080 oABCDEFGHIJKLMNOPQRSTUVWXYZ0`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return lookup(c.Context(), a, l, args)
		},
	}
	a.appidFlag(c, &l.appid, "account of the openids (default the only one configured)")
	f := c.Flags()
	f.StringVar(&l.secretFile, "secret-file", "", "file with the account's AppSecret (default from the configuration)")
	f.StringVar(&l.secretEnv, "secret-env", "", "environment variable with the account's AppSecret")
	f.StringVar(&l.api, "api", "", "base URL of the API (default from the configuration)")
	f.StringVar(&l.lang, "lang", "", "language: zh_CN, zh_TW or en (default from the configuration)")
	f.BoolVar(&l.json, "json", false, "print JSON, one record in a line")
	register(c, "lang", "zh_CN", "zh_TW", "en")
	return c
}

func lookup(ctx context.Context, a *app, l lookupFlags, openids []string) error {
	account, err := l.account(a)
	if err != nil {
		return err
	}
	client, err := wxapi.New(account, wxapi.Options{Getenv: a.getenv})
	if err != nil {
		return usage("%w", err)
	}
	var valid []string
	for _, openid := range openids {
		switch {
		case !events.ValidOpenID(openid):
			a.say("%s: not an openid: want 20 to 64 of A-Z a-z 0-9 _ -", openid)
		case !slices.Contains(valid, openid):
			valid = append(valid, openid)
		}
	}
	d := directory{client: client.Client, appid: account.AppID, lang: account.Lang}
	for batch := range slices.Chunk(valid, wechat.MaxBatch) {
		if err := d.ask(ctx, batch); err != nil {
			return apiFailure(err)
		}
	}
	for _, r := range d.refused {
		meaning, _ := wxapi.Explain(r.err)
		a.say("%s: refused by WeChat: %d %s", r.openid, r.err.Code, meaning)
	}
	if err := l.print(a, d.found); err != nil {
		return err
	}
	if len(d.found) > 0 {
		return nil
	}
	err = nothing("none of %d openids was found", len(openids))
	if len(d.refused) > 0 {
		return err.(*exitError).hint("an openid is good for one account only: are these of %s?", account.AppID)
	}
	return err
}

// account is the configured one with what the flags say; without a
// configuration the flags have to say it all.
func (l lookupFlags) account(a *app) (*config.Account, error) {
	cfg, err := a.load(false)
	if err != nil {
		return nil, err
	}
	account, err := oneAccount(cfg, l.appid)
	if err != nil {
		return nil, err
	}
	if l.secretFile != "" || l.secretEnv != "" {
		account.SecretFile, account.SecretEnv = l.secretFile, l.secretEnv
		account.Token = config.Token{Source: "stable"}
	}
	if l.api != "" {
		account.API, account.APIFallback = l.api, nil
	}
	if l.lang != "" {
		account.Lang = l.lang
	}
	ours := account.Token.Source == "stable" || account.Token.Source == "classic"
	if ours && account.SecretFile == "" && account.SecretEnv == "" {
		return nil, usage("no secret for account %s", account.AppID).
			hint("configure the account, or name one with --secret-file or --secret-env")
	}
	return account, nil
}

// print shows one record in full, several as a table.
func (l lookupFlags) print(a *app, found []events.Record) error {
	screen := term.Of(a.out, a.getenv)
	switch {
	case l.json:
		for i := range found {
			if err := printJSON(a, &found[i]); err != nil {
				return err
			}
		}
		return nil
	case len(found) == 1:
		return screen.Pairs(recordPairs(&found[0]))
	case len(found) > 1:
		rows := make([][]string, len(found))
		for i := range found {
			rows[i] = recordCells(&found[i])
		}
		return screen.Table(recordHeader, rows)
	}
	return nil
}

// apiFailure says what WeChat's refusal means and what to do about it.
func apiFailure(err error) error {
	e := failed("%w", err)
	meaning, action := wxapi.Explain(err)
	if meaning != "" {
		e.hint("%s (%s): %s", meaning, wechat.ClassOf(err), action)
	} else if cause, ok := errors.AsType[*wechat.Error](err); ok && cause.Class == wechat.Operator {
		e.hint("%s", cause.Advice())
	} else if wechat.ClassOf(err) == wechat.Transient {
		e.hint("transient: is the network there? try again")
	}
	return e
}
