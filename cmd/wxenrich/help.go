package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// helpWidth is of help texts: what is wider is hard to read, and a narrower
// terminal gets less.
const helpWidth = 80

// foldHelp has root and its commands break their help at the screen's width.
func foldHelp(root *cobra.Command, screen term.Screen) {
	width := helpWidth
	if screen.TTY {
		width = min(width, screen.Width)
	}
	usage := root.UsageTemplate()
	for _, flags := range []string{".LocalFlags.FlagUsages", ".InheritedFlags.FlagUsages"} {
		usage = strings.ReplaceAll(usage, flags+" ", fmt.Sprintf("%sWrapped %d ", flags, width))
	}
	root.SetUsageTemplate(usage)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		text := c.Long
		if text == "" {
			text = c.Short
		}
		fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", fold(text, width), c.UsageString())
	})
}

// fold breaks a text anew at a width. Lines that are indented stay as they are.
func fold(text string, width int) string {
	page := term.Screen{TTY: true, Width: width}
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, page.Wrap("", strings.Join(paragraph, " "))...)
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && line[0] != ' ' {
			paragraph = append(paragraph, line)
			continue
		}
		end()
		out = append(out, line)
	}
	end()
	return strings.Join(out, "\n")
}
