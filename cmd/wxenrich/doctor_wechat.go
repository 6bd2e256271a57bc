package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
)

// examinedAtOnce is how many accounts are asked about at a time.
const examinedAtOnce = 8

// examineAccounts asks WeChat for the quota of each account, which shows
// whether the host, the token and the address are good.
func (d *doctor) examineAccounts(ctx context.Context) {
	found := make([][]check, len(d.cfg.Accounts))
	slots := make(chan struct{}, examinedAtOnce)
	var wg sync.WaitGroup
	for i := range d.cfg.Accounts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			patient := &doctor{app: d.app, cfg: d.cfg}
			patient.examineAccount(ctx, &d.cfg.Accounts[i])
			found[i] = patient.checks
		})
	}
	wg.Wait()
	for _, checks := range found {
		d.checks = append(d.checks, checks...)
	}
}

// quotaPath is the call whose quota counts.
const quotaPath = "/cgi-bin/user/info/batchget"

func (d *doctor) examineAccount(ctx context.Context, a *config.Account) {
	about := "account " + a.AppID
	if a.PushOnly() {
		d.say(told, about, `there is no AppSecret, so WeChat was not asked: "wxenrich gateway" does without`, "")
		return
	}
	if a.Token.Source == "classic" {
		d.say(told, about, "token.source is classic: to fetch a token would end the one in use, so neither token nor quota was asked for", "")
		return
	}
	client, err := wxapi.New(a, wxapi.Options{Getenv: d.app.getenv})
	if err != nil {
		d.say(broken, about, err.Error(), "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(a.Timeout.Std(), 10*time.Second))
	defer cancel()
	began := time.Now()
	quota, err := client.Quota(ctx, quotaPath)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		d.refused(about, err)
		return
	}
	d.answered(about, took)
	d.judgeQuota(about, quota)
}

// answered is what every answer shows.
func (d *doctor) answered(about string, took time.Duration) {
	d.say(fine, about, fmt.Sprintf("WeChat answers in %s; token and address are accepted", took), "")
}

// refused says which of host, secret, address and quota a failure is about.
func (d *doctor) refused(about string, err error) {
	e, ok := errors.AsType[*wechat.Error](err)
	if !ok {
		d.say(broken, about, err.Error(), "")
		return
	}
	what := "the quota cannot be asked for"
	v, fix := broken, e.Advice()
	switch {
	case e.Code == 76021 || e.Code == 76022:
		d.say(fine, about, "WeChat answers; token and address are accepted", "")
		v, what, fix = told, "WeChat does not say what is left of the quota", "set quota.limit if you know it"
	case e.Class == wechat.DailyQuota:
		v, what = bad, "the day's quota is spent"
	case e.Class == wechat.Address:
		what = "this machine's address is refused"
	case e.Class == wechat.Transient && e.Code == 0:
		what, fix = "WeChat gives no answer", "is the way open: DNS, firewall, accounts[].proxy, accounts[].ca_file?"
	case e.Op == "token" || e.Op == "stable_token" || e.Code == 0:
		what = "there is no token"
	}
	if meaning, _ := wxapi.Explain(err); meaning != "" {
		what += " (" + meaning + ")"
	}
	d.say(v, about, what+": "+e.Error(), fix)
}

// quotaLow is the share of the day's quota below which it is worth a warning.
const quotaLow = 0.1

func (d *doctor) judgeQuota(about string, q wechat.Quota) {
	if q.Daily <= 0 {
		d.say(told, about, "WeChat states no quota", "")
		return
	}
	v, fix := fine, ""
	if float64(q.Remain) < quotaLow*float64(q.Daily) {
		v, fix = bad, "at 0 the account goes on hold until midnight in Beijing; a clear or a raise is asked for in the console"
	}
	d.say(v, about, fmt.Sprintf("quota %s a day, %s used, %s left", grouped(uint64(q.Daily)), grouped(uint64(max(0, q.Used))), grouped(uint64(max(0, q.Remain)))), fix)
}
