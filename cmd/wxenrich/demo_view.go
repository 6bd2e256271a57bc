package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
)

// demoView shows the demo: a picture that moves on a terminal, else a line a
// second and each record as it comes.
type demoView struct {
	screen term.Screen
	world  *demoWorld
	book   *demoBook
	lane   *pipeline.Lane
	json   bool
	began  time.Time
	drawn  int // lines of the picture on the screen
	seen   string
}

// How often the view is drawn.
const (
	everyPicture = 250 * time.Millisecond
	everyLine    = time.Second
)

// The picture's columns: what a terminal of 80 columns cuts off comes last.
var (
	demoHeader = []string{"openid", "unionid", "remark", "scene", "tags", "status"}
	demoWidths = []int{28, 28, 16, 20, 11}
)

func demoCells(r *events.Record) []string {
	u := r.User
	return []string{r.Event.OpenID, r.UnionID, u.Remark, scene(u), tags(u.TagIDs), string(r.Status)}
}

// open says where everything is.
func (v *demoView) open() {
	v.began = time.Now()
	if v.json {
		return
	}
	url := v.world.nats.URL()
	flag := ""
	if url != "nats://127.0.0.1:4222" {
		flag = " -s " + url
	}
	fmt.Fprintf(v.screen, "NATS at %s, a simulated WeChat at %s, account %s\n", url, v.world.api, demoAppID)
	fmt.Fprintf(v.screen, "join from a second terminal:\n")
	fmt.Fprintf(v.screen, "  wxenrich publish%s --appid %s %s\n", flag, demoAppID, v.world.account.OpenID(demoPeople-1))
	fmt.Fprintf(v.screen, "  wxenrich tail%s\n", flag)
	fmt.Fprintf(v.screen, "  nats%s pub wx.events.%s.subscribe %s\n", flag, demoAppID, v.world.account.OpenID(demoPeople-2))
	fmt.Fprintf(v.screen, "Nicknames and avatars are blank as they are in life: WeChat stopped giving them in 2021.\n\n")
}

// run draws until ctx ends.
func (v *demoView) run(ctx context.Context) {
	every := everyLine
	if v.screen.TTY {
		every = everyPicture
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			v.draw()
		}
	}
}

func (v *demoView) draw() {
	if v.json {
		return
	}
	t, last := v.book.look()
	if v.screen.TTY {
		v.picture(t, last)
		return
	}
	fmt.Fprintln(v.screen, v.counters(t))
	if len(last) == 0 {
		return
	}
	if r := &last[len(last)-1]; r.Event.ID != v.seen { // one a second is enough to see what they are like
		v.seen = r.Event.ID
		fmt.Fprintln(v.screen, "  "+strings.Join(recordCells(r), "  "))
	}
}

// picture draws over the picture before.
func (v *demoView) picture(t tally, last []events.Record) {
	lines := []string{v.screen.Bold(v.counters(t)), v.screen.Faint(v.screen.Row(demoHeader, demoWidths))}
	for i := range last {
		lines = append(lines, v.screen.Row(demoCells(&last[i]), demoWidths))
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	for _, line := range lines {
		b.WriteString("\r\x1b[K" + line + "\n")
	}
	v.drawn = len(lines)
	fmt.Fprint(v.screen, b.String())
}

// counters is the state in one line.
func (v *demoView) counters(t tally) string {
	c := v.lane.Stats().Counts()
	return v.screen.Fit(fmt.Sprintf("%5.1fs  events %d  batches %d (fill %.1f)  API calls %d  records %d  dead letters %d  p50 %s p99 %s",
		time.Since(v.began).Seconds(), t.Events, c.Batches, fill(c), c.Calls, t.Records, total(t.DeadLetters),
		v.book.quantile(0.5).Round(time.Millisecond), v.book.quantile(0.99).Round(time.Millisecond)))
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
	if err := v.print(s); err != nil {
		return err
	}
	if !s.OK {
		return failed("%d events without an answer, %d with two, %d with a wrong one", t.Missing, t.Doubled, t.Wrong)
	}
	return nil
}

func (v *demoView) print(s summary) error {
	if v.json {
		return json.NewEncoder(v.screen).Encode(s)
	}
	var dead []string
	for _, reason := range slices.Sorted(maps.Keys(s.DeadLetters)) {
		dead = append(dead, fmt.Sprintf("%s %d", reason, s.DeadLetters[reason]))
	}
	_, err := fmt.Fprintf(v.screen, "\n%d events = %d records + %d dead letters (%s); missing %d, doubled %d, wrong %d\n"+
		"%d API calls in %d batches, %.1f openids each; p50 %.0f ms, p99 %.0f ms from stored event to stored record\n",
		s.Events, s.Records, total(s.DeadLetters), strings.Join(dead, ", "), s.Missing, s.Doubled, s.Wrong,
		s.APICalls, s.Batches, s.Fill, s.P50, s.P99)
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
