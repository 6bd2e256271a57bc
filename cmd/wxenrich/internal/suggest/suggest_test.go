package suggest_test

import (
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"window", "window_max", "size", "pace", "secret_file", "secret_env"}
	for word, want := range map[string]string{
		"windo":      "window",
		"widnow":     "window",
		"windowmax":  "window_max",
		"secretfile": "secret_file",
		"szie":       "size",
		"secret":     "secret_file",
		"colour":     "",
		"":           "",
		"xy":         "",
	} {
		if got := suggest.Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
