package main

import (
	"errors"
	"slices"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// pushAccounts are the accounts that WeChat pushes for, as they were read last.
type pushAccounts struct {
	getenv     func(string) string
	held       map[string]pushAccount
	difference difference // that the last reading has made
}

// pushAccount is an account and what it was made of: as long as that is the same
// its receiver is, too, which knows what it has seen.
type pushAccount struct {
	gateway.Account
	push  config.Push
	token wechat.Secret
	keys  []push.Key
}

// read reads tokens and keys, too. With an error nothing has changed.
func (p *pushAccounts) read(cfg *config.Config) ([]gateway.Account, error) {
	subject, err := events.ParseTemplate(cfg.Gateway.Subject, "appid", "type")
	if err != nil {
		return nil, usage("gateway.subject: %w", err)
	}
	var messages events.Template
	if s := cfg.Gateway.Messages.Subject; s != "" {
		if messages, err = events.ParseTemplate(s, "appid", "type"); err != nil {
			return nil, usage("gateway.messages.subject: %w", err)
		}
	}
	var out []gateway.Account
	var faults []error
	var d difference
	next := make(map[string]pushAccount)
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		if !a.Push.Configured() {
			continue
		}
		now, err := readPush(a, p.getenv)
		if err != nil {
			faults = append(faults, usage("account %s: %w", a.AppID, err))
			continue
		}
		switch before, known := p.held[a.AppID]; {
		case known && before.push == now.push && before.token == now.token && slices.Equal(before.keys, now.keys):
			now.Receiver = before.Receiver
		case known:
			d.changed = append(d.changed, a.AppID)
		default:
			d.added = append(d.added, a.AppID)
		}
		if now.Receiver == nil {
			if now.Receiver, err = now.receiver(cfg, a.AppID); err != nil {
				faults = append(faults, usage("account %s: %w", a.AppID, err))
				continue
			}
		}
		now.OriginalID, now.Events, now.Messages = a.Push.OriginalID, subject, messages
		next[a.AppID] = now
		out = append(out, now.Account)
	}
	if len(faults) > 0 {
		return nil, usage("%w", errors.Join(faults...))
	}
	if len(out) == 0 && p.held == nil {
		return nil, usage("no account has push.token_file or push.token_env").
			hint("write the Token of the console's server configuration (服务器配置) into a file and name it there")
	}
	for appid := range p.held {
		if _, still := next[appid]; !still {
			d.removed = append(d.removed, appid)
		}
	}
	slices.Sort(d.removed)
	p.held, p.difference = next, d
	return out, nil
}

func readPush(a *config.Account, getenv func(string) string) (p pushAccount, err error) {
	p.push = a.Push
	if p.token, err = a.Push.Token(getenv); err == nil {
		p.keys, err = a.Push.Keys(getenv)
	}
	return p, err
}

func (p *pushAccount) receiver(cfg *config.Config, appid string) (*push.Receiver, error) {
	return push.NewReceiver(push.Config{
		AppID: appid, Token: p.token, Keys: p.keys, OriginalID: p.push.OriginalID,
		EncryptedOnly: p.push.EncryptedOnly, MaxSkew: cfg.Gateway.MaxSkew.Std(),
	})
}
