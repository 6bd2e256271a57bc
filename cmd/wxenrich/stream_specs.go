package main

import (
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// streamSpecs is every stream that the accounts need, each once: input, outputs
// and dead letters, in that order.
func streamSpecs(cfg *config.Config) []events.StreamSpec {
	var specs []events.StreamSpec
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		subjects := a.Input.Subject
		if a.Push.Configured() { // the gateway puts events of all types there
			subjects = append(slices.Clip(subjects), cfg.Gateway.Subject)
		}
		input := streamSpec(a, a.Input.Stream, subjects, a.Input.Storage)
		input.Must = a.Resolve().Subjects
		specs = merge(specs, input)
	}
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		for _, o := range cfg.Outputs {
			output := streamSpec(a, o.Stream, config.List{o.Subject}, o.Storage)
			output.Output, output.AllowAtomic = true, true
			specs = merge(specs, output)
		}
		dead := streamSpec(a, cfg.Dead.Stream, config.List{cfg.Dead.Subject}, cfg.Dead.Storage)
		dead.Output, dead.AllowAtomic = true, true
		specs = merge(specs, dead)
	}
	return specs
}

// streamSpec is one stream as one account needs it.
func streamSpec(a *config.Account, name string, subjects config.List, s config.Storage) events.StreamSpec {
	spec := events.StreamSpec{
		Name:       expandAppID(name, a.AppID),
		MaxAge:     s.MaxAge.Std(),
		MaxBytes:   int64(s.MaxBytes),
		Replicas:   s.Replicas,
		Duplicates: s.Duplicates.Std(),
	}
	if spec.MaxAge == 0 {
		spec.MaxAge = -time.Nanosecond // the configuration's "for ever"
	}
	own := spec.Name != name
	for _, subject := range subjects {
		t, err := events.ParseTemplate(subject, templateNames...)
		if err != nil {
			continue // the configuration's check has said so
		}
		for _, captured := range t.StreamSubjects(own, a.AppID) {
			spec.Subjects = add(spec.Subjects, captured)
		}
	}
	return spec
}

var templateNames = []string{"appid", "openid", "unionid", "type", "reason"}

func expandAppID(template, appid string) string {
	t, err := events.ParseTemplate(template, "appid")
	if err != nil {
		return template
	}
	return t.Expand(events.Vars{AppID: appid})
}

// merge adds a stream, or what it asks for to one of the same name.
func merge(specs []events.StreamSpec, s events.StreamSpec) []events.StreamSpec {
	i := slices.IndexFunc(specs, func(have events.StreamSpec) bool { return have.Name == s.Name })
	if i < 0 {
		return append(specs, s)
	}
	for _, subject := range s.Subjects {
		specs[i].Subjects = add(specs[i].Subjects, subject)
	}
	for _, subject := range s.Must {
		specs[i].Must = add(specs[i].Must, subject)
	}
	specs[i].Output = specs[i].Output || s.Output
	return specs
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// eraseStream is where an account's notices of who is erased go.
func eraseStream(cfg *config.Config, a *config.Account) events.StreamSpec {
	return streamSpec(a, cfg.Erase.Stream, config.List{cfg.Erase.Subject}, cfg.Erase.Storage)
}

// crawlStream is where an account's lists of followers are kept.
func crawlStream(cfg *config.Config, a *config.Account) events.StreamSpec {
	return streamSpec(a, cfg.Crawls.Stream, config.List{cfg.Crawls.Subject + ".{type}"}, cfg.Crawls.Storage)
}

// erasePlaces is where messages about an account's people are: events of all
// types, records, dead letters, and what people wrote to it.
func erasePlaces(cfg *config.Config, a *config.Account) []erase.Place {
	in := a.Resolve()
	places := []erase.Place{
		{Stream: in.Stream, Subjects: accountSubjects(a)},
		{Stream: expandAppID(cfg.Dead.Stream, a.AppID), Subjects: []string{subjectFilter(cfg.Dead.Subject, "{appid}", a.AppID)}},
	}
	for _, o := range cfg.Outputs {
		places = append(places, erase.Place{Stream: expandAppID(o.Stream, a.AppID), Subjects: []string{subjectFilter(o.Subject, "{appid}", a.AppID)}})
	}
	if m := cfg.Gateway.Messages; m.Subject != "" {
		places = append(places, erase.Place{Stream: expandAppID(m.Stream, a.AppID), Subjects: []string{subjectFilter(m.Subject, "{appid}", a.AppID)}})
	}
	return places
}

// accountSubjects is everything in the input that may be the account's; empty if
// its subjects do not tell.
func accountSubjects(a *config.Account) (subjects []string) {
	for _, s := range a.Input.Subject {
		before, after, found := strings.Cut(s, "{appid}.")
		if !found || after == "" {
			return nil
		}
		subjects = add(subjects, before+a.AppID+".>")
	}
	return subjects
}
