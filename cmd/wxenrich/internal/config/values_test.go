package config_test

import (
	"encoding"
	"fmt"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		into encoding.TextUnmarshaler
		want string // as it is printed; empty for an error
	}{
		{"100ms", new(config.Duration), "100ms"},
		{"90s", new(config.Duration), "1m30s"},
		{"10m", new(config.Duration), "10m"},
		{"2h", new(config.Duration), "2h"},
		{"2h30m", new(config.Duration), "2h30m"},
		{"24h", new(config.Duration), "1d"},
		{"30d", new(config.Duration), "30d"},
		{"0", new(config.Duration), "0s"},
		{"200000d", new(config.Duration), ""},
		{"5", new(config.Duration), ""},
		{"d", new(config.Duration), ""},
		{"", new(config.Duration), ""},
		{"16MiB", new(config.Size), "16MiB"},
		{"1.5 KiB", new(config.Size), "1536"},
		{"64MB", new(config.Size), "64MB"},
		{"1000", new(config.Size), "1KB"},
		{"5", new(config.Size), "5"},
		{"-1", new(config.Size), "-1"},
		{"1e30", new(config.Size), ""},
		{"NaN", new(config.Size), ""},
		{"MiB", new(config.Size), ""},
		{"30%", new(config.Share), "30%"},
		{"12.5 %", new(config.Share), "12.5%"},
		{"30", new(config.Share), ""},
		{"NaN%", new(config.Share), ""},
		{"auto", new(config.Auto), "auto"},
		{"7", new(config.Auto), "7"},
		{"0", new(config.Auto), ""},
		{"a, b,,c", new(config.List), "a,b,c"},
		{"b=2, a=1", new(config.Map), "a=1,b=2"},
		{"a", new(config.Map), ""},
	} {
		err := c.into.UnmarshalText([]byte(c.text))
		if (err != nil) != (c.want == "") {
			t.Errorf("%T %q: %v", c.into, c.text, err)
			continue
		}
		if got := fmt.Sprint(c.into); err == nil && got != c.want {
			t.Errorf("%T %q: printed %s, want %s", c.into, c.text, got, c.want)
		}
	}
}

// What a duration prints is what it reads: show prints a file.
func FuzzDuration(f *testing.F) {
	for _, d := range []time.Duration{0, time.Nanosecond, time.Hour, 24 * time.Hour, 90 * time.Minute, -time.Second, 1<<63 - 1} {
		f.Add(int64(d))
	}
	f.Fuzz(func(t *testing.T, n int64) {
		d := config.Duration(n)
		var back config.Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Errorf("%d prints %s, which reads as %d, %v", n, d, back, err)
		}
	})
}
