package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
)

// demoView shows the demo: a picture that moves on a terminal, else a line a
// second and a record with it.
type demoView struct {
	out     io.Writer
	getenv  func(string) string
	plain   bool // plain lines, also on a terminal
	json    bool // nothing but the summary
	world   *demoWorld
	gateway string // where the simulated WeChat pushes to
	book    *demoBook
	lane    *pipeline.Lane

	began time.Time
	drawn int    // lines of the picture on the screen
	width int    // of the screen when they were drawn
	seen  string // the last record that was shown as a line
	err   error  // why nothing can be shown any more
}

// How often the view is drawn.
const (
	everyPicture = 250 * time.Millisecond
	everyLine    = time.Second
)

// screen is the terminal as it is now: its window may be resized.
func (v *demoView) screen() term.Screen {
	s := term.Of(v.out, v.getenv)
	s.TTY = s.TTY && !v.plain && !v.json
	return s
}

func (v *demoView) print(text string) {
	if v.err == nil {
		_, v.err = io.WriteString(v.out, text)
	}
}

// intro says where everything is.
func (v *demoView) intro() string {
	url, flag := v.world.nats.URL(), ""
	if url != "nats://127.0.0.1:4222" {
		flag = " -s " + url
	}
	return fmt.Sprintf("NATS at %s, a simulated WeChat at %s, account %s\n"+
		"WeChat pushes one event in six to the gateway at %s, in safe mode\n"+
		"join from a second terminal:\n"+
		"  wxenrich publish%s --appid %s %s\n"+
		"  wxenrich tail%s\n"+
		"  nats%s pub wx.events.%s.subscribe %s\n"+
		"Nicknames and avatars are blank as they are in life: WeChat stopped giving them in 2021.\n\n",
		url, v.world.api, demoAppID, v.gateway,
		flag, demoAppID, v.world.account.OpenID(demoPeople-1), flag,
		flag, demoAppID, v.world.account.OpenID(demoPeople-2))
}

// run draws until ctx ends, or until nobody reads any more.
func (v *demoView) run(ctx context.Context) error {
	v.began = time.Now()
	if !v.json {
		v.print(v.intro())
	}
	every := everyLine
	if v.screen().TTY {
		every = everyPicture
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for v.err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			v.draw()
		}
	}
	return v.err
}

func (v *demoView) draw() {
	if v.json {
		return
	}
	t, last := v.book.look()
	if screen := v.screen(); screen.TTY {
		v.picture(screen, t, last)
		return
	}
	v.print(strings.Join(v.counters(t), "  ") + "\n")
	if len(last) == 0 {
		return
	}
	if r := &last[len(last)-1]; r.Event.ID != v.seen { // one a second is enough to see what they are like
		v.seen = r.Event.ID
		v.print("  " + strings.Join(recordCells(r), "  ") + "\n")
	}
}

// counters is the state in two short lines.
func (v *demoView) counters(t tally) []string {
	c := v.lane.Stats().Counts()
	return []string{
		fmt.Sprintf("%5.1fs  events %d  records %d  dead letters %d", time.Since(v.began).Seconds(), t.Events, t.Records, total(t.DeadLetters)),
		fmt.Sprintf("batches %d (fill %.1f)  API calls %d  p50 %s  p99 %s", c.Batches, fill(c), c.Calls,
			v.book.quantile(0.5).Round(time.Millisecond), v.book.quantile(0.99).Round(time.Millisecond)),
	}
}

func fill(c pipeline.Counts) float64 {
	if c.Batches == 0 {
		return 0
	}
	return float64(c.OpenIDs) / float64(c.Batches)
}

func total(dead map[events.Reason]int) (n int) {
	for _, k := range dead {
		n += k
	}
	return n
}

// summary is what a demo has to show for itself.
type summary struct {
	Seconds float64 `json:"seconds"`
	tally
	Batches  int64   `json:"batches"`
	Fill     float64 `json:"fill"` // mean openids in a batch
	APICalls int64   `json:"api_calls"`
	P50      float64 `json:"p50_ms"` // from the stored event to the stored record
	P99      float64 `json:"p99_ms"`
	OK       bool    `json:"ok"` // every event is answered once, and rightly
}

// sum prints the summary, and fails if an event was lost, answered twice or
// answered wrongly.
func (v *demoView) sum() error {
	t, _ := v.book.look()
	c := v.lane.Stats().Counts()
	s := summary{
		Seconds: time.Since(v.began).Seconds(), tally: t,
		Batches: c.Batches, Fill: fill(c), APICalls: c.Calls,
		P50: milliseconds(v.book.quantile(0.5)), P99: milliseconds(v.book.quantile(0.99)),
		OK: t.Missing == 0 && t.Doubled == 0 && t.Wrong == 0,
	}
	if err := v.report(s); err != nil {
		return err
	}
	if !s.OK {
		return failed("%d events without an answer, %d with two, %d with a wrong one", t.Missing, t.Doubled, t.Wrong)
	}
	return nil
}

func (v *demoView) report(s summary) error {
	if v.json {
		return json.NewEncoder(v.out).Encode(s)
	}
	var dead []string
	for _, reason := range slices.Sorted(maps.Keys(s.DeadLetters)) {
		dead = append(dead, fmt.Sprintf("%s %d", reason, s.DeadLetters[reason]))
	}
	_, err := fmt.Fprintf(v.out, "\n%d events = %d records + %d dead letters (%s); missing %d, doubled %d, wrong %d\n"+
		"%d API calls in %d batches, %.1f openids each; p50 %.0f ms, p99 %.0f ms from stored event to stored record\n",
		s.Events, s.Records, total(s.DeadLetters), strings.Join(dead, ", "), s.Missing, s.Doubled, s.Wrong,
		s.APICalls, s.Batches, s.Fill, s.P50, s.P99)
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
