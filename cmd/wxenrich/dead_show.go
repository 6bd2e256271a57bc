package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

func newDeadShowCommand(a *app) *cobra.Command {
	var f deadFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "show SEQ…",
		Short: "Show dead letters with all that is known, and what to do",
		Long: `Shows dead letters by their sequences in the stream of dead letters: why each
died, what to do about it, where its event was, the producer's headers and
payload, and the event as the configuration reads it today. Exit code 3 when
there is none.`,
		Example: `  wxenrich dead show 1
  wxenrich dead show 1 2 --json`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return f.withDead(c.Context(), a, "dead show", args, func(ctx context.Context, m *morgue) error { return deadShow(ctx, m, asJSON) })
		},
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "the account, where each has its own stream of dead letters")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, one letter in a line")
	return c
}

func deadShow(ctx context.Context, m *morgue, asJSON bool) error {
	screen := term.Of(m.app.out, m.app.getenv)
	n := 0
	var failure error
	_, err := m.read(ctx, true, func(_ dead.Place, l *dead.Letter) bool {
		j := newDeadJSON(l).withBody(l, m.decoder(l.AppID))
		if n++; asJSON {
			failure = m.app.printJSON(j)
			return failure == nil
		}
		if n > 1 {
			fmt.Fprintln(screen)
		}
		if failure = screen.Pairs(deadPairs(l, &j)); failure == nil {
			failure = printPayload(screen, l.Message.Data)
		}
		return failure == nil
	})
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return err
	case n == 0:
		return m.none()
	}
	return nil
}

// deadPairs is a letter for a person.
func deadPairs(l *dead.Letter, j *deadJSON) [][2]string {
	code := ""
	if l.Code != 0 {
		code = strconv.Itoa(l.Code)
	}
	src := l.Message.Source
	pairs := [][2]string{
		{"dead letter", fmt.Sprintf("%d on %s, stored %s", l.Seq, l.Subject, l.Stored.Format(time.RFC3339))},
		{"account", l.AppID},
		{"reason", string(l.Reason) + ": " + dead.Meaning(l.Reason)},
		{"errcode", code},
		{"message", l.Detail},
		{"do", l.Advice()},
		{"calls", strconv.Itoa(l.Attempts)},
		{"event", l.EventID},
		{"source", fmt.Sprintf("%s %d on %s, stored %s", src.Stream, src.Seq, src.Subject, src.Time.Format(time.RFC3339Nano))},
		{"replay", l.Replay},
	}
	if l.Hop > 0 {
		pairs = append(pairs, [2]string{"redrives", strconv.Itoa(l.Hop)})
	}
	if l.Truncated > 0 {
		pairs = append(pairs, [2]string{"cut", fmt.Sprintf("its payload had %d bytes", l.Truncated)})
	}
	switch e := j.Event; {
	case e != nil:
		pairs = append(pairs, [2]string{"openid", e.OpenID}, [2]string{"type", e.Type})
	default:
		pairs = append(pairs, [2]string{"openid", "none: " + j.Fault})
	}
	for _, name := range slices.Sorted(maps.Keys(j.Headers)) {
		pairs = append(pairs, [2]string{"header " + name, strings.Join(j.Headers[name], ", ")})
	}
	return pairs
}

// maxShown bounds a payload on the screen; --json and export have all of it.
const maxShown = 4096

func printPayload(screen term.Screen, data []byte) error {
	shown := data[:min(len(data), maxShown)]
	text := hex.Dump(shown)
	if utf8.Valid(data) {
		lines := strings.Split(strings.ToValidUTF8(string(shown), ""), "\n")
		for i := range lines {
			lines[i] = term.Clean(strings.TrimSuffix(lines[i], "\r"))
		}
		text = strings.Join(lines, "\n") + "\n"
	}
	if len(data) == 0 {
		text = ""
	}
	_, err := fmt.Fprintf(screen, "%s\n%s", screen.Faint(fmt.Sprintf("payload, %d bytes:", len(data))), text)
	if err == nil && len(shown) < len(data) {
		_, err = fmt.Fprintf(screen, "… %d bytes more: --json shows all\n", len(data)-len(shown))
	}
	return err
}
