package main

import (
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// instant reads a flag that says when: a time, how long ago, or the beginning of
// a day where this machine is. An empty text is no time.
func instant(flag, text string, now time.Time) (time.Time, *exitError) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	var ago config.Duration
	if ago.UnmarshalText([]byte(text)) == nil {
		if ago < 0 {
			return time.Time{}, usage("%s %s: that is to come: want how long ago, such as 10m or 2d", flag, text)
		}
		return now.Add(-ago.Std()), nil
	}
	return time.Time{}, usage("%s %q: want a duration such as 10m or 2d, today, yesterday, or a time such as 2026-01-31T08:00:00+08:00", flag, text)
}
