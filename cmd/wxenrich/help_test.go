package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
)

// TestHelpFits is of the help of every command.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	each(newRoot(&app{}), func(c *cobra.Command) {
		var out strings.Builder
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := (&runewidth.Condition{}).StringWidth(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
	})
}

func TestFold(t *testing.T) {
	t.Parallel()
	text := "one two three\nfour five\n\nsix:\n  stays as it is, however long\nseven"
	if d := cmp.Diff("one two\nthree four\nfive\n\nsix:\n  stays as it is, however long\nseven", fold(text, 10)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
