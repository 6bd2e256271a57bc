package main

import (
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
)

// laneConfig says in the lane's terms what the configuration says of an account.
func laneConfig(cfg *config.Config, a *config.Account) (pipeline.Config, error) {
	c := pipeline.DefaultConfig(a.AppID)
	r := a.Resolve()
	start, err := pipeline.ParseStart(a.Input.Start)
	if err != nil {
		return c, usage("input.start: %w", err)
	}
	dead, err := events.ParseTemplate(cfg.Dead.Subject, "appid", "reason", "type")
	if err != nil {
		return c, usage("dead.subject: %w", err)
	}
	c.Lang = a.Lang
	c.Stream, c.Subjects, c.Durable = r.Stream, r.Subjects, r.Durable
	c.Start = start
	c.AckWait = a.Input.AckWait.Std()
	c.MaxAckPending = a.Input.MaxAckPending
	c.InMemory = a.Input.DurableStorage == "memory"
	c.Manage = events.Manage(cfg.Manage)
	c.Fields = a.Input.Fields

	c.BatchSize = a.Batch.Size
	c.Window, c.WindowMax = a.Batch.Window.Std(), a.Batch.WindowMax.Std()
	c.Fixed = a.Batch.Pace == "fixed"
	c.QuotaLimit = int64(a.Quota.Limit)
	if c.QuotaUnit = a.Quota.Unit; c.QuotaUnit == "auto" {
		c.QuotaUnit = ""
	}
	c.QuotaUse, c.BulkShare = float64(a.Quota.UseAtMost), float64(a.Quota.BulkShare)
	c.Concurrency = a.Concurrency
	c.Rate = a.Rate

	c.RetryInitial, c.RetryMax = a.Retry.Initial.Std(), a.Retry.Max.Std()
	c.RecentMaxAge = a.Recent.MaxAge.Std()
	c.Recheck = a.Recheck.After.Std()

	if c.Outputs, err = laneOutputs(cfg); err != nil {
		return c, err
	}
	c.Dead = dead
	c.Atomic = cfg.Outputs[0].Publish == "atomic" // as of all of them
	c.Erase = pipeline.EraseConfig{
		Unsubscribed: cfg.Erase.Unsubscribed, After: cfg.Erase.After.Std(), Replicas: cfg.Erase.Replicas,
		Places: erasePlaces(cfg, a), Notices: eraseStream(cfg, a), Subject: expandAppID(cfg.Erase.Subject, a.AppID),
	}
	c.Crawls = pipeline.Crawls{Stream: crawlStream(cfg, a), Subject: expandAppID(cfg.Crawls.Subject, a.AppID)}
	c.SampleCheck = float64(a.SampleCheck)
	c.ExpectUnionID = pipeline.Expect(a.ExpectUnionID)
	c.Canary = a.CanaryOpenID
	c.Grace = cfg.Shutdown.Grace.Std()
	return c, nil
}

// laneOutputs says the same of the outputs.
func laneOutputs(cfg *config.Config) ([]pipeline.Output, error) {
	outputs := make([]pipeline.Output, len(cfg.Outputs))
	for i, o := range cfg.Outputs {
		subject, err := events.ParseTemplate(o.Subject, "appid", "openid", "unionid", "type")
		if err != nil {
			return nil, usage("%s.subject: %w", cfg.OutputPath(i), err)
		}
		keep, err := events.ParseKeep(o.Fields)
		if err != nil {
			return nil, usage("%s.fields: %w", cfg.OutputPath(i), err)
		}
		outputs[i] = pipeline.Output{Subject: subject, Format: events.Format(o.Format), Keep: keep, CloudEvents: o.CloudEvents}
	}
	return outputs, nil
}
